import type { Database } from '../connection/database.ts'
import { type Fence, fenceValues, type Lane, type LaneBound, serverStart } from './lane.ts'

/** Takes a lane from whoever held it: the epoch rises, and what the former holder settles is refused. */
export async function takeLane(
  db: Database,
  lane: Lane,
  relayId: string,
): Promise<Fence & { readonly bound: LaneBound }> {
  const [row] = await db.query<Row>(
    `INSERT INTO ${db.names.q}.lanes AS l (destination, lane, relay_id, taken_at)
     VALUES ($1, $2, $3, clock_timestamp())
     ON CONFLICT (destination, lane) DO UPDATE
       SET epoch = l.epoch + 1, relay_id = excluded.relay_id, taken_at = excluded.taken_at
     RETURNING epoch, ${serverStart} AS server, settled_to AS "settledTo", passed_to AS "passedTo", passed_unless AS unless`,
    [lane.destination, lane.lane, relayId],
  )
  if (!row) throw new Error('taking a lane returned no row')
  const { epoch, server, settledTo, passedTo, unless } = row
  return {
    destination: lane.destination,
    lane: lane.lane,
    relayId,
    epoch,
    server,
    bound: { settledTo: BigInt(settledTo), passedTo: BigInt(passedTo), passedUnless: unless },
  }
}

/** Gives the lane back, unless somebody has taken it since, and writes down how far it was settled. */
export async function releaseLane(db: Database, fence: Fence, bound?: LaneBound): Promise<void> {
  await writeBound(db, fence, bound, 'relay_id = NULL, taken_at = NULL')
}

/** Writes down how far a lane is settled while it is worked: others look at it, too. */
export async function reportBound(db: Database, fence: Fence, bound: LaneBound): Promise<void> {
  await writeBound(db, fence, bound)
}

interface Row {
  readonly epoch: string
  readonly server: string
  readonly settledTo: string
  readonly passedTo: string
  readonly unless: string[]
}

/** On another server than the fence's nothing is written: there the bound may be above intents that wait. */
async function writeBound(db: Database, fence: Fence, bound?: LaneBound, more?: string): Promise<void> {
  const bounds = bound && 'settled_to = $6, passed_to = $7, passed_unless = $8'
  await db.query(
    `UPDATE ${db.names.q}.lanes SET ${[more, bounds].filter(Boolean).join(', ')}
     WHERE destination = $1 AND lane = $2 AND epoch = $3 AND relay_id = $4 AND ${serverStart} = $5`,
    [
      ...fenceValues(fence),
      ...(bound ? [bound.settledTo.toString(), bound.passedTo.toString(), bound.passedUnless] : []),
    ],
  )
}
