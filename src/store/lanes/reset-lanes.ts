import type { Database } from '../connection/database.ts'

/**
 * Ends every turn of the fleet, and forgets how far each lane was settled: after numbers ran backwards, because a person
 * restored the sequence or the queue, intents may wait below every bound. What is under way is sent again.
 */
export async function resetLanes(db: Database): Promise<void> {
  await db.query(
    `UPDATE ${db.names.q}.lanes
     SET epoch = epoch + 1, relay_id = NULL, taken_at = NULL, watermark = 0, provisional_watermark = 0, provisional_xids = '{}'`,
  )
}
