import type { Names } from '../../store/names.ts'
import { type Queryable, select } from './queryable.ts'

/** Dead letters of one kind: a row of the view `dead_letter_summary`. */
export interface DeadLetterCount {
  readonly destination: string
  readonly operation: string
  /** `rejected`, `too_large`, `expired`, `invalid`, `ambiguous` or `exhausted`. */
  readonly reason: string
  readonly count: number
  readonly oldest: Date
  readonly newest: Date
  /** Seconds since `newest`, by the database's clock. */
  readonly newestSeconds: number
}

/** Counts the dead letters of each destination, operation and reason. */
export function readDeadLetterSummary(db: Queryable, names: Names): Promise<DeadLetterCount[]> {
  return select<DeadLetterCount>(
    db,
    `SELECT destination, operation, reason, count::float8 AS count, oldest, newest,
            greatest(0, extract(epoch FROM clock_timestamp() - newest))::float8 AS "newestSeconds"
     FROM ${names.q}.dead_letter_summary ORDER BY destination, operation, reason`,
  )
}
