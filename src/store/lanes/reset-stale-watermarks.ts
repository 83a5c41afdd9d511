import type { Database } from '../connection/database.ts'
import type { Lane } from './lane.ts'

/**
 * Looks at every lane of the given destinations from its very beginning, and lets go of the bound of one that has an
 * intent below it: an operator has put back the queue's rows or its sequence, or the server has lost its last commits.
 * It walks through the dead rows that an old snapshot keeps.
 *
 * @returns the lanes that had one.
 */
export async function resetStaleWatermarks(db: Database, destinations: readonly string[]): Promise<Lane[]> {
  const q = db.names.q
  return db.query<Lane & { destination: string; lane: number }>(
    `UPDATE ${q}.lanes l SET watermark = 0, provisional_watermark = 0, provisional_xids = '{}'
     FROM ${q}.lane_watermarks b
     WHERE b.destination = ANY ($1::text[]) AND b.after > 0
       AND (SELECT true FROM ${q}.intents i
            WHERE i.destination = b.destination AND i.lane = b.lane AND i.seq <= b.after ORDER BY i.seq LIMIT 1)
       AND l.destination = b.destination AND l.lane = b.lane
     RETURNING l.destination, l.lane`,
    [destinations],
  )
}
