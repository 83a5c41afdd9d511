import type { FailureHistory } from '../breaker/failure-history.ts'
import type { BatchEntry } from '../destination/cut-batch.ts'
import type { LaneOutcome } from '../lane-outcome.ts'
import { pickAtRandom } from './pick-canary.ts'

/** Milliseconds until a lane that has nothing to probe with is worked again: more intents may come. */
const NOTHING_TO_PROBE_MS = 1_000
/** Share of the turns in which a lane yields the probe, if its intent has failed before. One of four probes. */
const YIELD_PROBE = 3 / 4
/** Milliseconds until a lane that yielded the probe asks again. */
const YIELD_PROBE_MS = 250

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
 * How the turn ends if the lane yields the probe to another lane. Undefined: it may acquire the probe. With an equal chance
 * for every lane, lanes that hold only an intent at which the service always fails would keep the breaker open for all. In an
 * outage every intent has failed before: one of many lanes still probes at once, and one of few a moment later.
 */
export function yieldProbe(history: FailureHistory, probe: BatchEntry | undefined): LaneOutcome | undefined {
  if (!probe) return { kind: 'handed_back', waitMs: NOTHING_TO_PROBE_MS }
  const { attempts, id } = probe.row
  const hasFailed = attempts > 0 || history.hasFailed(id)
  return hasFailed && Math.random() < YIELD_PROBE
    ? { kind: 'handed_back', waitMs: YIELD_PROBE_MS }
    : undefined
}
