import type { Database } from '../connection/database.ts'
import { fenceHolds, fenceValues } from './fence.ts'
import { type Fence, heldLaneOf } from './lane.ts'
import { FencedError } from './settle.ts'

/**
 * The most intents that one call puts back. A hot key may have 100,000 held intents. They are before all others of the lane, so
 * the limit leaves half of a read to other keys.
 */
export const RELEASED_AT_MOST = 500

export interface Released {
  /** The lowest `seq` that was put back. Undefined: none. */
  readonly first: bigint | undefined
  /** Whether there may be more to put back. */
  readonly more: boolean
}

/**
 * Puts held intents back into their lane, if the dead letter before them is gone. They keep their `seq`, which may be below the
 * watermark, so the same statement lowers the watermark. The caller must lower its own.
 *
 * Of each key the first held intents go back. The rest of the key stays held, and with it every later intent that is
 * enqueued meanwhile: so the order of the key is that of `seq`, whatever commits during the release.
 *
 * A request that is made while the statement runs stays: `release_requests` differs then from what the snapshot had.
 *
 * @throws {FencedError} if the lane has a newer epoch, or the server changed. Then nothing was put back.
 */
export async function releaseHeld(db: Database, fence: Fence): Promise<Released> {
  const { q } = db.names
  const [row] = await db.query<{ fenced: boolean; first: string | null; more: boolean }>(
    `WITH lane_before AS MATERIALIZED (
       SELECT release_requests FROM ${q}.lanes WHERE ${fenceHolds('$5')}
     ), head AS MATERIALIZED (
       SELECT h.ordering_key, coalesce(l.seq, 9223372036854775807) AS up_to
       FROM ${q}.held_heads($1, $2) h LEFT JOIN LATERAL ${q}.holding_letter($1, $2, h.ordering_key) l ON true
       WHERE l.seq IS NULL OR h.seq < l.seq
     ), chosen AS MATERIALIZED (
       SELECT i.seq FROM head h,
         LATERAL (SELECT i.seq FROM ${q}.intents i
                  WHERE i.destination = $1 AND i.lane = $6 AND i.lane < -1 AND i.ordering_key = h.ordering_key AND i.seq < h.up_to
                  ORDER BY i.seq LIMIT ${RELEASED_AT_MOST}) i
       ORDER BY h.ordering_key, i.seq LIMIT ${RELEASED_AT_MOST}
     ), found AS MATERIALIZED (
       SELECT min(seq) AS first, count(*) = ${RELEASED_AT_MOST} AS more FROM chosen
     ), updated AS (
       UPDATE ${q}.lanes l
       SET watermark = least(l.watermark, f.first - 1), provisional_watermark = least(l.provisional_watermark, f.first - 1),
           release_requests = CASE WHEN f.more OR l.release_requests <> b.release_requests THEN l.release_requests ELSE 0 END
       FROM lane_before b, found f
       WHERE ${fenceHolds('$5')}
       RETURNING 1
     ), released AS (
       UPDATE ${q}.intents SET lane = $2
       WHERE destination = $1 AND lane = $6 AND lane < -1 AND seq = ANY (ARRAY(SELECT seq FROM chosen))
         AND EXISTS (SELECT 1 FROM updated)
     )
     SELECT NOT EXISTS (SELECT 1 FROM updated) AS fenced, f.first::text AS first, f.more FROM found f`,
    [...fenceValues(fence), fence.server, heldLaneOf(fence)],
  )
  if (row?.fenced !== false) throw new FencedError(fence)
  return { first: row.first === null ? undefined : BigInt(row.first), more: row.more }
}
