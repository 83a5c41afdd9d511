import type { Database } from './database.ts'
import type { Lane } from './lane.ts'

/** A row of the queue as the relay works on it. */
export interface QueuedIntent {
  /** int8 as text. */
  readonly seq: string
  readonly id: string
  readonly operation: string
  readonly payload: unknown
  /** Unix seconds of the business write, by the database's clock. */
  readonly occurredAtSeconds: number
  /** `expires_at` has passed, by the database's clock. */
  readonly expired: boolean
}

/**
 * The next intents of a lane in order.
 *
 * @param after only rows with a greater `seq`; '0' looks at all. A lower bound only speeds the search: dead
 * rows stay in the way of a scan while any snapshot is older (draining 300,000 rows with one idle reader fell
 * from 140,000/s to 47,000/s without it).
 */
export async function readLane(
  db: Database,
  lane: Lane,
  after: string,
  limit: number,
): Promise<QueuedIntent[]> {
  return db.query<QueuedIntent & Record<string, unknown>>(
    `SELECT seq, id, operation, payload,
            floor(extract(epoch FROM enqueued_at))::float8 AS "occurredAtSeconds",
            coalesce(expires_at <= clock_timestamp(), false) AS expired
     FROM ${db.names.q}.intents
     WHERE destination = $1 AND lane = $2 AND seq > $3
     ORDER BY seq LIMIT $4`,
    [lane.destination, lane.lane, after, limit],
  )
}
