import type { Database } from './database.ts'
import type { Fence, Lane } from './lane.ts'

/** Takes a lane from whoever held it: the epoch rises, and what the former holder settles is refused. */
export async function takeLane(db: Database, lane: Lane, relayId: string): Promise<Fence> {
  const [row] = await db.query<{ epoch: string }>(
    `INSERT INTO ${db.names.q}.lanes AS l (destination, lane, relay_id, taken_at)
     VALUES ($1, $2, $3, clock_timestamp())
     ON CONFLICT (destination, lane) DO UPDATE
       SET epoch = l.epoch + 1, relay_id = excluded.relay_id, taken_at = excluded.taken_at
     RETURNING epoch`,
    [lane.destination, lane.lane, relayId],
  )
  if (!row) throw new Error('taking a lane returned no row')
  return { destination: lane.destination, lane: lane.lane, relayId, epoch: row.epoch }
}

/** Gives the lane back, unless somebody has taken it since. */
export async function releaseLane(db: Database, fence: Fence): Promise<void> {
  await db.query(
    `UPDATE ${db.names.q}.lanes SET relay_id = NULL, taken_at = NULL
     WHERE destination = $1 AND lane = $2 AND epoch = $3 AND relay_id = $4`,
    [fence.destination, fence.lane, fence.epoch, fence.relayId],
  )
}
