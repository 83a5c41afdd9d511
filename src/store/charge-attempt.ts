import type { Database } from './database.ts'
import type { Fence } from './lane.ts'
import { FencedError } from './settle.ts'

/**
 * Counts a failure that is an intent's own, and keeps it and what follows it of its key for `delayMs` from now,
 * by the database's clock, for every relay.
 *
 * @throws {FencedError} where the lane has a newer epoch, or the row has gone.
 */
export async function chargeAttempt(db: Database, fence: Fence, seq: string, delayMs: number): Promise<void> {
  const rows = await db.query(
    `WITH fence AS (
       SELECT 1 FROM ${db.names.q}.lanes
       WHERE destination = $1 AND lane = $2 AND epoch = $3 AND relay_id = $4 FOR SHARE
     )
     UPDATE ${db.names.q}.intents
     SET attempts = attempts + 1, retry_at = clock_timestamp() + make_interval(secs => $6::float8 / 1000)
     WHERE destination = $1 AND lane = $2 AND seq = $5 AND EXISTS (SELECT 1 FROM fence)
     RETURNING 1`,
    [fence.destination, fence.lane, fence.epoch, fence.relayId, seq, delayMs],
  )
  if (rows.length === 0) throw new FencedError(fence)
}
