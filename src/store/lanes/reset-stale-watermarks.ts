import type { Database } from '../connection/database.ts'
import type { Lane } from './lane.ts'

/**
 * Resets the watermark of each lane that has an intent below it. There is such an intent if an operator restored rows or
 * the sequence, or if the server lost its last commits. The statement reads each lane from its beginning, so it reads
 * through the dead rows that an old snapshot keeps.
 *
 * @returns the lanes that were reset.
 */
export async function resetStaleWatermarks(db: Database, destinations: readonly string[]): Promise<Lane[]> {
  const q = db.names.q
  return db.query<Lane & { destination: string; lane: number }>(
    `UPDATE ${q}.lanes l SET watermark = 0, provisional_watermark = 0, provisional_xids = '{}'
     FROM ${q}.lane_watermarks w
     WHERE w.destination = ANY ($1::text[]) AND w.watermark > 0
       AND (SELECT true FROM ${q}.intents i
            WHERE i.destination = w.destination AND i.lane = w.lane AND i.seq <= w.watermark ORDER BY i.seq LIMIT 1)
       AND l.destination = w.destination AND l.lane = w.lane
     RETURNING l.destination, l.lane`,
    [destinations],
  )
}
