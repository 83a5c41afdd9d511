import type { Database } from '../connection/database.ts'
import { type Fence, fenceValues, type Lane, type LaneWatermark, serverStart } from './lane.ts'

/** Takes a lane from whoever held it: the epoch rises, and what the former holder settles is refused. */
export async function claimLane(
  db: Database,
  lane: Lane,
  relayId: string,
): Promise<Fence & { readonly bound: LaneWatermark }> {
  const [row] = await db.query<Row>(
    `INSERT INTO ${db.names.q}.lanes AS l (destination, lane, relay_id, taken_at)
     VALUES ($1, $2, $3, clock_timestamp())
     ON CONFLICT (destination, lane) DO UPDATE
       SET epoch = l.epoch + 1, relay_id = excluded.relay_id, taken_at = excluded.taken_at
     RETURNING epoch, ${serverStart} AS server, watermark, provisional_watermark AS "provisionalWatermark", provisional_xids AS "provisionalXids"`,
    [lane.destination, lane.lane, relayId],
  )
  if (!row) throw new Error('taking a lane returned no row')
  const { epoch, server, watermark, provisionalWatermark, provisionalXids } = row
  return {
    destination: lane.destination,
    lane: lane.lane,
    relayId,
    epoch,
    server,
    bound: {
      watermark: BigInt(watermark),
      provisionalWatermark: BigInt(provisionalWatermark),
      provisionalXids,
    },
  }
}

/** Gives the lane back, unless somebody has taken it since, and writes down how far it was settled. */
export async function releaseLane(db: Database, fence: Fence, bound?: LaneWatermark): Promise<void> {
  await writeBound(db, fence, bound, 'relay_id = NULL, taken_at = NULL')
}

/** Writes down how far a lane is settled while it is worked: others look at it, too. */
export async function reportWatermark(db: Database, fence: Fence, bound: LaneWatermark): Promise<void> {
  await writeBound(db, fence, bound)
}

interface Row {
  readonly epoch: string
  readonly server: string
  readonly watermark: string
  readonly provisionalWatermark: string
  readonly provisionalXids: string[]
}

/** On another server than the fence's nothing is written: there the bound may be above intents that wait. */
async function writeBound(db: Database, fence: Fence, bound?: LaneWatermark, more?: string): Promise<void> {
  const bounds = bound && 'watermark = $6, provisional_watermark = $7, provisional_xids = $8'
  await db.query(
    `UPDATE ${db.names.q}.lanes SET ${[more, bounds].filter(Boolean).join(', ')}
     WHERE destination = $1 AND lane = $2 AND epoch = $3 AND relay_id = $4 AND ${serverStart} = $5`,
    [
      ...fenceValues(fence),
      ...(bound
        ? [bound.watermark.toString(), bound.provisionalWatermark.toString(), bound.provisionalXids]
        : []),
    ],
  )
}
