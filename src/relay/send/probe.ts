import type { BatchEntry } from '../destination/cut-batch.ts'
import type { LaneOutcome } from '../lane-outcome.ts'
import { pickAtRandom } from './pick-canary.ts'
import type { Turn } from '../turn/turn.ts'

/** With nothing in the lane to probe with: more may come. */
const NOTHING_MS = 1_000
/** Of four probes of an intent that has failed before, one is sent; the next time to ask is soon. */
const YIELD_PROBE = 3 / 4
const YIELD_PROBE_MS = 250

/**
 * Picks the intent that a lane probes with: at random, so that an intent at which the service always fails does not keep
 * the breaker open. An intent that failed before is picked if the lane has no other, and one that was charged comes last.
 *
 * @param firsts Each the first intent of its key that waits.
 */
export function pickProbe({ breaker }: Turn, firsts: readonly BatchEntry[]): BatchEntry | undefined {
  const uncharged = firsts.filter(({ row }) => row.attempts === 0)
  const unknown = uncharged.filter(({ row }) => !breaker.history.hasFailed(row.id))
  return pickAtRandom(unknown) ?? pickAtRandom(uncharged) ?? pickAtRandom(firsts)
}

/**
 * How the turn ends if the lane is to leave the probe to another lane; undefined if it may ask for the probe. If every lane
 * were as likely to have the probe, lanes that hold only an intent at which the service always fails would keep the
 * breaker open for all. In an outage every intent has failed before: one of many lanes still probes at once, and one of few
 * a moment later.
 */
export function yieldProbe({ breaker }: Turn, probe: BatchEntry | undefined): LaneOutcome | undefined {
  if (!probe) return { kind: 'handed_back', waitMs: NOTHING_MS }
  const { attempts, id } = probe.row
  const hasFailed = attempts > 0 || breaker.history.hasFailed(id)
  return hasFailed && Math.random() < YIELD_PROBE
    ? { kind: 'handed_back', waitMs: YIELD_PROBE_MS }
    : undefined
}
