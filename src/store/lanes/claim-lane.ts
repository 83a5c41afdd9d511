import type { Database } from '../connection/database.ts'
import { serverStart } from '../connection/server-sql.ts'
import { fenceHolds, fenceValues } from './fence.ts'
import type { Fence, Lane, LaneWatermark } from './lane.ts'

/** Claims a lane, even if another worker holds it. The epoch rises, so the former holder can settle nothing more. */
export async function claimLane(
  db: Database,
  lane: Lane,
  relayId: string,
): Promise<Fence & { readonly watermark: LaneWatermark }> {
  const [row] = await db.query<Row>(
    `INSERT INTO ${db.names.q}.lanes AS l (destination, lane, relay_id, taken_at)
     VALUES ($1, $2, $3, clock_timestamp())
     ON CONFLICT (destination, lane) DO UPDATE
       SET epoch = l.epoch + 1, relay_id = excluded.relay_id, taken_at = excluded.taken_at
     RETURNING epoch, ${serverStart} AS server, watermark, provisional_watermark AS "provisionalWatermark",
               provisional_xids AS "provisionalXids"`,
    [lane.destination, lane.lane, relayId],
  )
  if (!row) throw new Error('claiming a lane returned no row')
  const { epoch, server, watermark, provisionalWatermark, provisionalXids } = row
  return {
    destination: lane.destination,
    lane: lane.lane,
    relayId,
    epoch,
    server,
    watermark: {
      watermark: BigInt(watermark),
      provisionalWatermark: BigInt(provisionalWatermark),
      provisionalXids,
    },
  }
}

/** Releases the lane and records its watermark, unless another relay has claimed the lane. */
export async function releaseLane(db: Database, fence: Fence, watermark?: LaneWatermark): Promise<void> {
  await updateLane(db, fence, watermark, 'relay_id = NULL, taken_at = NULL')
}

/** Records the watermark of a lane during its turn, because every relay's poll of the lane begins there. */
export async function reportWatermark(db: Database, fence: Fence, watermark: LaneWatermark): Promise<void> {
  await updateLane(db, fence, watermark)
}

interface Row {
  readonly epoch: string
  readonly server: string
  readonly watermark: string
  readonly provisionalWatermark: string
  readonly provisionalXids: string[]
}

/**
 * Updates the lane's row if the fence is valid. On another server than the fence's it changes nothing, because there the
 * watermark may be above pending intents.
 */
async function updateLane(
  db: Database,
  fence: Fence,
  watermark: LaneWatermark | undefined,
  release?: string,
): Promise<void> {
  const columns = watermark && 'watermark = $6, provisional_watermark = $7, provisional_xids = $8'
  await db.query(
    `UPDATE ${db.names.q}.lanes SET ${[release, columns].filter(Boolean).join(', ')}
     WHERE ${fenceHolds('$5')}`,
    [...fenceValues(fence), fence.server, ...(watermark ? valuesOf(watermark) : [])],
  )
}

function valuesOf({ watermark, provisionalWatermark, provisionalXids }: LaneWatermark): unknown[] {
  return [watermark.toString(), provisionalWatermark.toString(), provisionalXids]
}
