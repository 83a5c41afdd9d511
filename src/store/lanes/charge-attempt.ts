import type { Database } from '../connection/database.ts'
import { fenceCte, fenceValues } from './fence.ts'
import type { Fence, RowIdentity } from './lane.ts'
import { FencedError } from './settle.ts'

/**
 * Counts a failure that the intent itself caused. For `delayMs`, by the database's clock, no relay sends the intent or
 * later intents of its key.
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
    `WITH ${fenceCte(db.names.q, '$5')}
     UPDATE ${db.names.q}.intents
     SET attempts = attempts + 1, retry_at = clock_timestamp() + make_interval(secs => $8::float8 / 1000)
     WHERE destination = $1 AND lane = $2 AND seq = $6 AND id = $7 AND EXISTS (SELECT 1 FROM fence)
     RETURNING 1`,
    [...fenceValues(fence), fence.server, row.seq, row.id, delayMs],
  )
  if (rows.length === 0) throw new FencedError(fence)
}
