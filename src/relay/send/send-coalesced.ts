import type { QueuedIntent } from '../../store/lanes/queued-intent.ts'
import type { Cut } from '../destination/cut-batch.ts'
import type { Permit } from '../breaker/breaker.ts'
import type { FailureHistory } from '../breaker/failure-history.ts'
import { interpretAnswer } from './interpret-answer.ts'
import type { LaneOutcome } from '../lane-outcome.ts'
import { BatchInProgress } from '../turn/batch-in-progress.ts'
import type { Turn } from '../turn/turn.ts'

export type CoalescedSend =
  /** Customer.io accepted the shared request, and the batch is settled. */
  | { readonly kind: 'settled' }
  /** No other batch was waiting: the lane sends its batch alone, with this permit. */
  | { readonly kind: 'send_alone'; readonly permit: Permit }
  /** The batch may not share a request, or the shared request was not accepted: the lane acquires a permit of its own. */
  | { readonly kind: 'not_sent' }
  | LaneOutcome

/**
 * Sends a batch together with batches of other lanes, if it is small and holds all rows that were read from its lane.
 * Otherwise sends nothing (`not_sent`).
 */
export async function sendCoalesced(
  turn: Turn,
  rows: readonly QueuedIntent[],
  cut: Cut,
): Promise<CoalescedSend> {
  const { gate } = turn
  const { batch, used } = cut
  const items = batch.map(({ item }) => item)
  if (used < rows.length || hasFailed(gate.history, cut) || !gate.canCoalesce(items))
    return { kind: 'not_sent' }
  const { passes } = gate.history
  const result = await gate.coalesce(items)
  if (result.kind === 'send_alone') return { kind: 'send_alone', permit: 'send' }
  if (result.kind === 'retry_alone') {
    // Any of the batches may be to blame. If other requests pass from now on, the destination is not.
    if (result.answer?.kind === 'unavailable' || result.answer?.kind === 'credential')
      gate.history.recordFailure(batch[0]?.row.id ?? '', passes)
    return { kind: 'not_sent' }
  }
  if (result.kind !== 'accepted') return result
  const progress = new BatchInProgress(turn, rows, cut)
  const verdict = interpretAnswer(result.answer, batch)
  if (verdict.kind === 'settle') await progress.settle(verdict)
  turn.reader.drop(progress.settled)
  return { kind: 'settled' }
}

/**
 * Whether a batch failed before, or holds an intent that failed alone. Such a batch must not break or delay the request of
 * other lanes.
 */
function hasFailed(history: FailureHistory, { batch }: Cut): boolean {
  return batch.some(({ row }, n) => row.attempts > 0 || (n === 0 && history.hasFailed(row.id)))
}
