import type { BreakerState } from '../breakers/read-breakers.ts'
import type { Database } from '../connection/database.ts'
import { SCHEDULED_LANE } from './lane.ts'

/** The pending intents of one destination, and whether they may be sent now. */
export interface PendingIntents {
  readonly destination: string
  /** Intents that are due, including scheduled ones that no relay has moved to their lane yet. */
  readonly pending: number
  /** Whether `pending` is an estimate: it is over 100,000. */
  readonly estimated: boolean
  /** The breaker's state. `rate_limited`: it is closed, and Customer.io asked to wait (429). */
  readonly state: BreakerState | 'rate_limited'
  /** When the next request or probe is due. Null if nothing needs to be waited for, or if only an operator ends the stop. */
  readonly retryAt: Date | null
  /** Why the destination is stopped. Null if it is not. */
  readonly lastError: string | null
}

/** More due intents than this in the lane of scheduled ones are not counted. */
const MOST_DUE = 100_000

/** Reads the destinations among `served` that have pending intents. As fast as the view `backlog`, whatever its size. */
export async function readPending(db: Database, served: readonly string[]): Promise<PendingIntents[]> {
  const { q } = db.names
  return db.query<PendingIntents>(
    `WITH breaker AS (
       SELECT destination, last_error, retry_at,
              CASE WHEN state = 'closed' AND retry_at > clock_timestamp() THEN 'rate_limited' ELSE state END AS state
       FROM ${q}.breaker_state
     ), queue AS (
       SELECT b.destination, b.pending + due.count AS pending, b.estimated OR due.count > ${MOST_DUE} AS estimated
       FROM ${q}.backlog b,
         LATERAL (SELECT count(*) AS count
                  FROM (SELECT FROM ${q}.intents i
                        WHERE i.destination = b.destination AND i.lane = ${SCHEDULED_LANE}
                          AND i.send_after <= clock_timestamp()
                        LIMIT ${MOST_DUE + 1}) d) due
       WHERE b.destination = ANY ($1::text[])
     )
     SELECT destination, queue.pending::float8 AS pending, queue.estimated, coalesce(breaker.state, 'closed') AS state,
            CASE WHEN breaker.state <> 'closed' THEN breaker.retry_at END AS "retryAt",
            CASE WHEN breaker.state <> 'closed' THEN breaker.last_error END AS "lastError"
     FROM queue LEFT JOIN breaker USING (destination)
     WHERE queue.pending > 0 ORDER BY destination`,
    [served],
  )
}
