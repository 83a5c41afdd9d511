import type { Names } from '../../store/names.ts'
import { type Queryable, select } from './queryable.ts'

/** A bulk action that has not ended. */
export interface OpenAction {
  readonly actionId: string
  readonly kind: string
  readonly state: 'queued' | 'running'
  readonly total: number
  readonly processed: number
  readonly requestedBy: string
  /** Why nothing happens. Null if a relay can carry out the action. */
  readonly waiting: string | null
  /** Of the last chunk that failed. */
  readonly error: string | null
}

/** Reads the bulk actions that have not ended, the oldest first: at most 100. */
export async function readOpenActions(db: Queryable, names: Names): Promise<OpenAction[]> {
  return select<OpenAction>(
    db,
    `SELECT action_id AS "actionId", kind, state, total::float8 AS total, processed::float8 AS processed,
            requested_by AS "requestedBy", waiting, error
     FROM ${names.q}.action_status WHERE state IN ('queued', 'running') ORDER BY requested_at LIMIT 100`,
  )
}
