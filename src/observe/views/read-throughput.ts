import type { Names } from '../../store/names.ts'
import { type Queryable, select } from './queryable.ts'

/** Intents that left the queue in one minute: a row of the view `throughput`. */
export interface ThroughputMinute {
  readonly destination: string
  /** Start of the minute. */
  readonly minute: Date
  readonly delivered: number
  /** Those of `delivered` that were delivered over 72 h after their write, when an event triggers no campaign. */
  readonly late: number
  /** Intents that `allowRecipients` held back. Not part of `delivered`. */
  readonly suppressed: number
  readonly deadLettered: number
  /** Milliseconds from enqueue to delivery, accurate to 10 %. Null if no intent was delivered. */
  readonly p50Ms: number | null
  /** Milliseconds from enqueue to delivery, accurate to 10 %. Null if no intent was delivered. */
  readonly p99Ms: number | null
}

/** Reads the minutes with settled intents among the last five, the current one included. The newest comes first. */
export function readThroughput(db: Queryable, names: Names): Promise<ThroughputMinute[]> {
  return select<ThroughputMinute>(
    db,
    `SELECT destination, minute, delivered::float8 AS delivered, late::float8 AS late, suppressed::float8 AS suppressed,
            dead_lettered::float8 AS "deadLettered",
            p50_ms::float8 AS "p50Ms", p99_ms::float8 AS "p99Ms"
     FROM ${names.q}.throughput WHERE minute > now() - interval '5 minutes'
     ORDER BY minute DESC, destination`,
  )
}
