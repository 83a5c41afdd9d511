import type { FailureHistory } from '../breaker/failure-history.ts'
import type { BatchEntry } from '../destination/cut-batch.ts'
import type { LaneOutcome } from '../lane-outcome.ts'
import { pickAtRandom } from './pick-canary.ts'

/** How a turn ends if the lane has no intent to probe with. The lane starts again a second later: more intents may come. */
export const NOTHING_TO_PROBE: LaneOutcome = { kind: 'handed_back', waitMs: 1_000 }
/** How a turn ends if the lane yields the probe. The lane may ask again after 250 ms. */
export const PROBE_YIELDED: LaneOutcome = { kind: 'handed_back', waitMs: 250 }
/** Share of the turns in which a lane yields the probe, if its intent has failed before. */
const YIELD_SHARE = 3 / 4

/**
 * Picks the intent that a lane probes with: at random, so that an intent at which the service always fails does not keep the
 * breaker open. An intent that failed before is picked if the lane has no other, and one that was charged comes last.
 *
 * @param firsts Each the first waiting intent of its key.
 */
export function pickProbe(history: FailureHistory, firsts: readonly BatchEntry[]): BatchEntry | undefined {
  const uncharged = firsts.filter(({ row }) => row.attempts === 0)
  const unknown = uncharged.filter(({ row }) => !history.hasFailed(row.id))
  return pickAtRandom(unknown) ?? pickAtRandom(uncharged) ?? pickAtRandom(firsts)
}

/**
 * Whether the lane yields the probe to another lane, by chance, because its intent has failed before. With an equal chance
 * for every lane, lanes that hold only an intent at which the service always fails would keep the breaker open for all. In an
 * outage every intent has failed before. Then one of many lanes still probes at once, and one of few lanes probes a moment
 * later.
 */
export function yieldsProbe(history: FailureHistory, { row }: BatchEntry): boolean {
  const hasFailed = row.attempts > 0 || history.hasFailed(row.id)
  return hasFailed && Math.random() < YIELD_SHARE
}
