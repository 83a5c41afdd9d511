import type { Names } from '../../store/names.ts'
import { type Queryable, select } from './queryable.ts'

/** Pending, scheduled and held intents of one destination: a row of the view `backlog`. */
export interface Backlog {
  /** `<workspace>/<api>`, such as `default/track`. */
  readonly destination: string
  /** Intents that are due. */
  readonly pending: number
  /** Intents whose `sendAfter` is in the future. */
  readonly scheduled: number
  /** Intents that wait behind a dead letter of their key. They are not pending. Counted up to 100,001. */
  readonly held: number
  readonly oldestPendingAt: Date | null
  /** Age of the oldest due intent in seconds, by the database's clock. 0 if no intent is due. */
  readonly lagSeconds: number
  /** Whether `pending` is an estimate: it is over 100,000. */
  readonly estimated: boolean
}

/** Reads the backlog of every destination with queued intents. */
export function readBacklog(db: Queryable, names: Names): Promise<Backlog[]> {
  return select<Backlog>(
    db,
    `SELECT destination, pending::float8 AS pending, scheduled::float8 AS scheduled, held::float8 AS held,
            oldest_pending_at AS "oldestPendingAt", lag_seconds AS "lagSeconds", estimated
     FROM ${names.q}.backlog ORDER BY destination`,
  )
}
