import { isBulk, type Lane } from '../../store/lanes/lane.ts'
import { FencedError } from '../../store/lanes/settle.ts'
import { releaseLane, claimLane } from '../../store/lanes/claim-lane.ts'
import type { QueuedIntent } from '../../store/lanes/queued-intent.ts'
import { openRows } from '../payloads/open-rows.ts'
import { attemptDelayMs } from '../send/charge-failure.ts'
import { drainBatches } from './drain-batches.ts'
import { drainNonIdempotent } from './drain-non-idempotent.ts'
import type { LaneContext } from '../turn/lane-context.ts'
import type { LaneOutcome } from '../lane-outcome.ts'
import { Gate } from '../turn/gate.ts'
import { LaneReader } from '../turn/lane-reader.ts'
import { LaneWriter } from '../turn/lane-writer.ts'
import { Suspects } from '../turn/suspects.ts'
import { BlockedKeys } from '../turn/blocked-keys.ts'
import { HeldKeys } from '../turn/held-keys.ts'
import type { Turn } from '../turn/turn.ts'

/** Claims a lane, sends its intents in order until it stays empty or must wait, and releases it. */
export async function workLane(context: LaneContext, lane: Lane): Promise<LaneOutcome> {
  const { db, batchSize, intentRetry, inFlight, idleWait, stopping, destination } = context
  const fence = await claimLane(db, lane, context.relayId)
  const readerOptions = {
    size: batchSize,
    maxAgeSeconds: destination.maxAgeSeconds,
    open: (rows: QueuedIntent[]) => openRows(context.encryptionKeys, lane.destination, rows),
  }
  const held = new HeldKeys(db, fence)
  const reader = new LaneReader(db, fence, readerOptions, context.horizon, held)
  const blocked = new BlockedKeys(
    {
      onUnknownFormat: (format) => context.onUnknownFormat(lane.destination, format),
      onUnknownKey: (key) => context.onUnknownKey(lane.destination, key),
    },
    (attempts) => attemptDelayMs(intentRetry, attempts),
  )
  const turn: Turn = {
    batchSize,
    intentRetry,
    inFlight,
    idleWait,
    stopping,
    reader,
    writer: new LaneWriter(context, fence, held),
    gate: new Gate(context, isBulk(lane)),
    keys: { blocked, suspects: new Suspects() },
  }
  try {
    return await (destination.nonIdempotent ? drainNonIdempotent(turn) : drainBatches(turn))
  } catch (error) {
    if (error instanceof FencedError) return { kind: 'fenced' }
    throw error
  } finally {
    await releaseLane(db, fence, reader.watermark)
  }
}
