import type { Database } from './database.ts'
import type { Lane } from './lane.ts'

/**
 * Looks at every lane from its very beginning, and lets go of the bound of one that has an intent below it: somebody
 * has put back the queue's rows or its sequence, or the server has lost its last commits. A skip scan, which walks
 * through the dead rows that an old snapshot keeps.
 *
 * @returns the lanes that had one.
 */
export async function recheckBounds(db: Database): Promise<Lane[]> {
  const q = db.names.q
  return db.query<Lane & { destination: string; lane: number }>(
    `WITH RECURSIVE head AS (
       (SELECT destination, lane, seq FROM ${q}.intents ORDER BY destination, lane, seq LIMIT 1)
       UNION ALL
       SELECT n.destination, n.lane, n.seq FROM head h,
         LATERAL (SELECT i.destination, i.lane, i.seq FROM ${q}.intents i
                  WHERE (i.destination, i.lane) > (h.destination, h.lane)
                  ORDER BY i.destination, i.lane, i.seq LIMIT 1) n
     )
     UPDATE ${q}.lanes l SET settled_to = 0, passed_to = 0, passed_unless = '{}'
     FROM head h, ${q}.lane_bounds b
     WHERE h.lane >= 0 AND b.destination = h.destination AND b.lane = h.lane AND h.seq <= b.after
       AND l.destination = h.destination AND l.lane = h.lane
     RETURNING l.destination, l.lane`,
  )
}
