import type { Settlement } from '../../store/lanes/settle.ts'
import type { Permit } from '../breaker/breaker.ts'
import type { BatchEntry } from '../destination/cut-batch.ts'
import type { LaneOutcome } from '../lane-outcome.ts'
import type { Turn } from '../turn/turn.ts'
import { type Failed, sendNonIdempotent } from './send-non-idempotent.ts'

/** The most ordering keys of a lane for which messages are sent at a time. */
export const MOST_KEYS = 8

export interface WaveResult {
  /** How the turn ends, if an answer says so. */
  readonly outcome: LaneOutcome | undefined
  /** Requests that failed, and whose intents are still in the queue. */
  readonly failures: readonly Failed[]
}

/** Marks, sends and settles intents, each in a request of its own. */
export async function sendMarked(
  turn: Turn,
  entries: readonly BatchEntry[],
  permit: Permit,
): Promise<WaveResult> {
  const batch = await mark(turn, entries).catch((error: unknown) => {
    turn.gate.breaker.release(permit)
    throw error
  })
  // Waits for all, even if one fails: the lane must not be released with a request in flight.
  const ends = await Promise.allSettled(batch.map((entry) => sendNonIdempotent(turn, entry, permit)))
  const results = ends.flatMap((end) => (end.status === 'fulfilled' ? [end.value] : []))
  const unsent = results.flatMap(({ unsent: row }) => (row === undefined ? [] : [row]))
  try {
    await settleAndDrop(turn, {
      delivered: results.flatMap(({ settlement }) => settlement?.delivered ?? []),
      dead: results.flatMap(({ settlement }) => settlement?.dead ?? []),
      deliveryIds: new Map(results.flatMap(({ settlement }) => [...(settlement?.deliveryIds ?? [])])),
    })
  } finally {
    if (unsent.length > 0) await turn.writer.unmarkSending(unsent)
  }
  for (const end of ends) if (end.status === 'rejected') throw end.reason
  return {
    outcome: results.find(({ outcome }) => outcome)?.outcome,
    failures: results.flatMap(({ failure }) => (failure ? [failure] : [])),
  }
}

/**
 * Marks as many of the batch as may be sent now. Their tokens are acquired before, so that there is no wait between a mark
 * and its request. So a mark that a relay finds nearly always means that there was a request.
 */
async function mark(
  { gate, writer }: Pick<Turn, 'gate' | 'writer'>,
  batch: readonly BatchEntry[],
): Promise<readonly BatchEntry[]> {
  const now = batch.slice(0, 1 + (await gate.acquireMore(batch.length - 1)))
  await writer.markSending(now.map(({ row }) => row))
  return now
}

export async function settleAndDrop(
  { writer, reader }: Pick<Turn, 'writer' | 'reader'>,
  settlement: Settlement,
): Promise<void> {
  const { delivered, dead, suppressed = [] } = settlement
  await writer.settle(settlement)
  reader.drop(new Set([...delivered, ...dead, ...suppressed].map(({ seq }) => seq)))
}
