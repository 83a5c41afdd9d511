import type { Database } from '../connection/database.ts'
import { type Fence, fenceValues, heldLane, type RowIdentity } from './lane.ts'
import { FencedError } from './settle.ts'

/**
 * Counts a failure that is an intent's own, and keeps it and what follows it of its key for `delayMs` from now,
 * by the database's clock, for every relay.
 *
 * @throws {FencedError} if the lane has a newer epoch, the server changed, or the row is gone.
 */
export async function chargeAttempt(
  db: Database,
  fence: Fence,
  row: RowIdentity,
  delayMs: number,
): Promise<void> {
  const rows = await db.query(
    `WITH fence AS (
       ${heldLane(db.names.q)}
     )
     UPDATE ${db.names.q}.intents
     SET attempts = attempts + 1, retry_at = clock_timestamp() + make_interval(secs => $8::float8 / 1000)
     WHERE destination = $1 AND lane = $2 AND seq = $6 AND id = $7 AND EXISTS (SELECT 1 FROM fence)
     RETURNING 1`,
    [...fenceValues(fence), row.seq, row.id, delayMs],
  )
  if (rows.length === 0) throw new FencedError(fence)
}
