import { isBulk, type Lane } from '../../store/lanes/lane.ts'
import { FencedError } from '../../store/lanes/settle.ts'
import { releaseLane, claimLane } from '../../store/lanes/claim-lane.ts'
import { attemptDelayMs } from '../send/charge-failure.ts'
import { drainBatches } from './drain-batches.ts'
import { drainNonIdempotent } from './drain-non-idempotent.ts'
import type { LaneContext } from '../turn/lane-context.ts'
import type { LaneOutcome } from '../lane-outcome.ts'
import { LaneReader } from '../turn/lane-reader.ts'
import { Suspects } from '../turn/suspects.ts'
import { BlockedKeys } from '../turn/blocked-keys.ts'

/** Drains a lane: take it, then send what it holds, in order, until it stays empty or must wait. */
export async function workLane(context: LaneContext, lane: Lane): Promise<LaneOutcome> {
  const fence = await claimLane(context.db, lane, context.relayId)
  const { maxAgeSeconds } = context.destination
  const reader = new LaneReader(
    context.db,
    fence,
    { size: context.batchSize, maxAgeSeconds },
    context.horizon,
  )
  try {
    const blocked = new BlockedKeys(
      (format) => context.onUnknownFormat(lane.destination, format),
      (attempts) => attemptDelayMs(context.intentRetry, attempts),
    )
    const turn = { ...context, fence, reader, bulk: isBulk(lane), blocked, suspects: new Suspects() }
    return await (context.destination.nonIdempotent ? drainNonIdempotent(turn) : drainBatches(turn))
  } catch (error) {
    if (error instanceof FencedError) return { kind: 'fenced' }
    throw error
  } finally {
    await releaseLane(context.db, fence, reader.watermark)
  }
}
