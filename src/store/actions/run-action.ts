import type { Database } from '../connection/database.ts'

export type ActionKind = 'redrive' | 'discard' | 'replay' | 'erase' | 'cancel' | 'reschedule' | 'backfill'

export type ActionState = 'queued' | 'running' | 'done' | 'cancelled' | 'failed'

/** An action after one of its chunks. */
export interface ActionChunk {
  readonly kind: ActionKind
  readonly state: ActionState
  /** Intents of this chunk. */
  readonly done: number
  readonly processed: number
  /** Intents that matched when the action was requested. */
  readonly total: number
  /** Intents a second that the operator allows. Null: no limit. */
  readonly rate: number | null
}

/**
 * Does one chunk of an action, in one transaction with its progress. So an action continues after any crash, and no intent is
 * in two chunks.
 *
 * @param max Intents.
 * @returns undefined if another session runs the action, or if it does not exist.
 */
export async function runAction(
  db: Database,
  actionId: string,
  max: number,
): Promise<ActionChunk | undefined> {
  const [row] = await db.query<ActionChunk & { state: ActionState | null }>(
    `SELECT kind, state, done, processed::float8, total::float8, rate::float8
     FROM ${db.names.q}.run_action($1, $2)`,
    [actionId, max],
  )
  return row?.state ? row : undefined
}
