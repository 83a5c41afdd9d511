import type { Database } from '../connection/database.ts'
import type { Lane } from './lane.ts'

export interface HeldKeys {
  /** By ordering key: the intents of the key from this `seq` on must wait. */
  readonly from: ReadonlyMap<string, bigint>
  /** Whether held intents may have to be put back into the lane: see `releaseHeld`. */
  readonly isReleaseRequested: boolean
}

/**
 * Reads the keys of a lane that are held: those with a dead letter that holds, and those with held intents that are not back in
 * the lane yet. Normally there is none, and the statement costs two index descents.
 */
export async function readHeldKeys(db: Database, { destination, lane }: Lane): Promise<HeldKeys> {
  const { q } = db.names
  const [row] = await db.query<{ keys: [key: string, from: string][]; isReleaseRequested: boolean }>(
    `SELECT coalesce((SELECT release_requests > 0 FROM ${q}.lanes WHERE destination = $1 AND lane = $2), false)
              AS "isReleaseRequested",
            (SELECT coalesce(json_agg(json_build_array(ordering_key, seq::text)), '[]') FROM (
               SELECT ordering_key, min(seq) AS seq FROM (
                 SELECT ordering_key, seq FROM ${q}.dead_letters
                 WHERE holds AND destination = $1 AND ${q}.lane_of(destination, ordering_key, priority) = $2
                 UNION ALL
                 SELECT ordering_key, seq FROM ${q}.held_heads($1, $2)) held
               GROUP BY ordering_key) k) AS keys`,
    [destination, lane],
  )
  return {
    from: new Map(row?.keys.map(([key, from]) => [key, BigInt(from)])),
    isReleaseRequested: row?.isReleaseRequested === true,
  }
}
