import type { Database } from '../connection/database.ts'

/**
 * Ends every turn of the fleet, and resets every watermark. Needed after the sequence ran backwards, because an
 * operator restored the sequence or the queue: pending intents may be below any watermark. Requests in flight are sent
 * again.
 */
export async function resetLanes(db: Database): Promise<void> {
  await db.query(
    `UPDATE ${db.names.q}.lanes
     SET epoch = epoch + 1, relay_id = NULL, taken_at = NULL,
         watermark = 0, provisional_watermark = 0, provisional_xids = '{}'`,
  )
}
