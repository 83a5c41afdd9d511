import type { Database } from '../connection/database.ts'
import type { Lane } from './lane.ts'

/**
 * Resets the watermark of each lane that has an intent below it. There is such an intent if an operator restored rows or
 * the sequence, or if the server lost its last commits. The statement reads each lane from its beginning, so it reads
 * through the dead rows that an old snapshot keeps.
 *
 * Also requests the release of held intents whose dead letter is gone. An action requests it by itself; this finds dead letters
 * that were deleted by hand. The cost grows with the number of held keys.
 *
 * @returns the lanes that were changed.
 */
export async function auditLanes(db: Database, destinations: readonly string[]): Promise<Lane[]> {
  const q = db.names.q
  return db.query<Lane & { destination: string; lane: number }>(
    `UPDATE ${q}.lanes l
     SET watermark = CASE WHEN f.stale THEN 0 ELSE l.watermark END,
         provisional_watermark = CASE WHEN f.stale THEN 0 ELSE l.provisional_watermark END,
         provisional_xids = CASE WHEN f.stale THEN '{}' ELSE l.provisional_xids END,
         release_requests = l.release_requests + CASE WHEN f.releasable THEN 1 ELSE 0 END
     FROM (
       SELECT w.destination, w.lane,
              w.watermark > 0 AND coalesce((SELECT true FROM ${q}.intents i
                WHERE i.destination = w.destination AND i.lane = w.lane AND i.seq <= w.watermark
                ORDER BY i.seq LIMIT 1), false) AS stale,
              w.lane >= 0 AND w.release_requests = 0 AND ${q}.is_releasable(w.destination, w.lane) AS releasable
       FROM ${q}.lane_watermarks w WHERE w.destination = ANY ($1::text[])
     ) f
     WHERE l.destination = f.destination AND l.lane = f.lane AND (f.stale OR f.releasable)
     RETURNING l.destination, l.lane`,
    [destinations],
  )
}
