import type { Names } from '../../store/names.ts'
import { type Queryable, select } from './queryable.ts'

/** Pending and scheduled intents of one destination: a row of the view `backlog`. */
export interface Backlog {
  /** `<workspace>/<api>`, such as `default/track`. */
  readonly destination: string
  /** Intents that are due. */
  readonly pending: number
  /** Intents whose `sendAfter` is in the future. */
  readonly scheduled: number
  readonly oldestPendingAt: Date | null
  /** Age of the oldest due intent in seconds, by the database's clock. 0 if no intent is due. */
  readonly lagSeconds: number
  /** Whether `pending` is an estimate: it is over 100,000. */
  readonly estimated: boolean
}

/** Reads the backlog of every destination with pending or scheduled intents. */
export function readBacklog(db: Queryable, names: Names): Promise<Backlog[]> {
  return select<Backlog>(
    db,
    `SELECT destination, pending::float8 AS pending, scheduled::float8 AS scheduled,
            oldest_pending_at AS "oldestPendingAt", lag_seconds AS "lagSeconds", estimated
     FROM ${names.q}.backlog ORDER BY destination`,
  )
}
