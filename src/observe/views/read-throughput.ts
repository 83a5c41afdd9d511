import type { Names } from '../../store/names.ts'
import { type Queryable, select } from './queryable.ts'

/** What left the queue in one minute: a row of the view `throughput`. */
export interface ThroughputMinute {
  readonly destination: string
  /** The minute's begin. */
  readonly minute: Date
  readonly delivered: number
  readonly deadLettered: number
  /** Milliseconds from enqueue to delivery, within 10 %; null where nothing was delivered. */
  readonly p50Ms: number | null
  readonly p99Ms: number | null
}

/** The last five minutes in which anything was settled, the current one included; newest first. */
export function readThroughput(db: Queryable, names: Names): Promise<ThroughputMinute[]> {
  return select<ThroughputMinute>(
    db,
    `SELECT destination, minute, delivered::float8 AS delivered, dead_lettered::float8 AS "deadLettered",
            p50_ms::float8 AS "p50Ms", p99_ms::float8 AS "p99Ms"
     FROM ${names.q}.throughput WHERE minute > now() - interval '5 minutes'
     ORDER BY minute DESC, destination`,
  )
}
