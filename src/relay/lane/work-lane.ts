import type { Database } from '../../store/connection/database.ts'
import { isBulk, type Lane } from '../../store/lanes/lane.ts'
import { FencedError, type Settlement } from '../../store/lanes/settle.ts'
import { releaseLane, takeLane } from '../../store/lanes/take-lane.ts'
import type { DestinationBreaker } from '../breaker/breaker.ts'
import type { Coalescer } from '../destination/coalescer.ts'
import type { Destination } from '../destination/destinations.ts'
import { attemptDelayMs } from '../send/exhaust.ts'
import { drainBatches } from './drain-batches.ts'
import { drainOnce } from './drain-once.ts'
import type { Horizon } from '../turn/horizon.ts'
import type { LaneOutcome } from '../turn/lane-outcome.ts'
import { LaneReader } from '../turn/lane-reader.ts'
import type { Linger } from '../turn/linger.ts'
import type { ResolvedRelayOptions } from '../options.ts'
import type { Partitions } from '../turn/partitions.ts'
import type { Sending } from '../turn/sending.ts'
import { Suspects } from '../send/suspects.ts'
import { WaitingKeys } from '../turn/waiting-keys.ts'

export interface LaneContext {
  readonly db: Database
  readonly relayId: string
  readonly batchSize: number
  readonly intentRetry: ResolvedRelayOptions['intentRetry']
  readonly destination: Destination
  readonly breaker: DestinationBreaker
  readonly coalescer: Coalescer
  readonly horizon: Horizon
  readonly partitions: Partitions
  readonly sending: Sending
  readonly stopping: AbortSignal
  readonly linger: Linger
  /** Whether the destination's settings are those that were given last. */
  readonly inForce: () => boolean
  readonly onUnknownFormat: (destination: string, format: number) => void
  /** `late`: how many were delivered after the time in which an event triggers a campaign. */
  readonly onSettled: (settlement: Settlement, late: number) => void
}

/** Drains a lane: take it, then send what it holds, in order, until it stays empty or must wait. */
export async function workLane(context: LaneContext, lane: Lane): Promise<LaneOutcome> {
  const fence = await takeLane(context.db, lane, context.relayId)
  const { maxAgeSeconds } = context.destination
  const reader = new LaneReader(
    context.db,
    fence,
    { size: context.batchSize, maxAgeSeconds },
    context.horizon,
  )
  try {
    const waiting = new WaitingKeys(
      (format) => context.onUnknownFormat(lane.destination, format),
      (attempts) => attemptDelayMs(context.intentRetry, attempts),
    )
    const turn = { ...context, fence, reader, bulk: isBulk(lane), waiting, suspects: new Suspects() }
    return await (context.destination.once ? drainOnce(turn) : drainBatches(turn))
  } catch (error) {
    if (error instanceof FencedError) return { kind: 'fenced' }
    throw error
  } finally {
    await releaseLane(context.db, fence, reader.bound)
  }
}
