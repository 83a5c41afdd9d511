import type { Database } from '../connection/database.ts'

/**
 * Ends every turn of the fleet, and resets every watermark. This is needed after the sequence ran backwards, which happens
 * if an operator restored the sequence or the queue. Pending intents may then be below any watermark. The intents of
 * requests in flight are sent again.
 */
export async function resetLanes(db: Database): Promise<void> {
  await db.query(
    `UPDATE ${db.names.q}.lanes
     SET epoch = epoch + 1, relay_id = NULL, taken_at = NULL,
         watermark = 0, provisional_watermark = 0, provisional_xids = '{}'`,
  )
}
