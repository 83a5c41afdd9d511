import type { Names } from '../../store/names.ts'
import { type Queryable, select } from './queryable.ts'

/** What waits for one destination: a row of the view `backlog`. */
export interface Backlog {
  /** `<workspace>/<api>`, such as `default/track`. */
  readonly destination: string
  /** Intents that are due. */
  readonly pending: number
  /** Intents whose `sendAfter` has not come. */
  readonly scheduled: number
  readonly oldestPendingAt: Date | null
  /** Age of the oldest due intent by the database's clock; 0 where nothing is due. */
  readonly lagSeconds: number
  /** True where `pending` is an estimate: over 100,000. */
  readonly estimated: boolean
}

/** Destinations that have intents; none where nothing waits. */
export function readBacklog(db: Queryable, names: Names): Promise<Backlog[]> {
  return select<Backlog>(
    db,
    `SELECT destination, pending::float8 AS pending, scheduled::float8 AS scheduled,
            oldest_pending_at AS "oldestPendingAt", lag_seconds AS "lagSeconds", estimated
     FROM ${names.q}.backlog ORDER BY destination`,
  )
}
