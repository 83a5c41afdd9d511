import type { QueuedIntent } from '../../store/lanes/read-lane.ts'
import type { Cut } from '../destination/cut-batch.ts'
import type { Permit } from '../breaker/breaker.ts'
import { interpretAnswer } from './interpret-answer.ts'
import type { LaneOutcome } from '../lane-outcome.ts'
import { BatchInProgress } from './batch-in-progress.ts'
import type { Turn } from '../turn/turn.ts'

/**
 * Sends all that a lane holds in one request with what others hold, where it is little. `sent`: it is settled.
 * Otherwise leave to send it alone, how the turn ends, or undefined: leave is to be asked for.
 */
export async function sendCoalesced(
  turn: Turn,
  rows: readonly QueuedIntent[],
  cut: Cut,
): Promise<'sent' | Permit | LaneOutcome | undefined> {
  const { batch, used } = cut
  const items = batch.map(({ item }) => item)
  if (turn.bulk || used < rows.length || hasFailed(turn, cut)) return undefined
  if (turn.breaker.eligibility() !== 'all' || !turn.coalescer.canJoin(items)) return undefined
  const { history } = turn.breaker
  const { passes } = history
  const joined = await turn.coalescer.join(items)
  if (joined.kind === 'alone') return 'send'
  if (joined.kind === 'again') {
    // Whoever of them it was: if others pass now, it was not the destination.
    if (joined.answer?.kind === 'unavailable' || joined.answer?.kind === 'credential')
      history.recordFailure(batch[0]?.row.id ?? '', passes)
    return undefined
  }
  if (joined.kind !== 'accepted') return joined
  const round = new BatchInProgress(turn, rows, cut)
  const verdict = interpretAnswer(joined.answer, batch)
  if (verdict.kind === 'settle') await round.settle(verdict)
  turn.reader.drop(round.settled)
  return 'sent'
}

/** What has failed alone, or the request that began with it, is not to break or to hold up the request of others. */
function hasFailed({ breaker }: Turn, { batch }: Cut): boolean {
  return batch.some(({ row }, n) => row.attempts > 0 || (n === 0 && breaker.history.hasFailed(row.id)))
}
