import type { BatchEntry } from '../destination/batch.ts'
import type { LaneOutcome } from '../lane-outcome.ts'
import { pickAtRandom } from './pick-another.ts'
import type { Turn } from '../turn/turn.ts'

/** With nothing in the lane to probe with: more may come. */
const NOTHING_MS = 1_000
/** Of four probes of an intent that has failed before, one is sent; the next time to ask is soon. */
const STAND_BACK = 3 / 4
const STAND_BACK_MS = 250

/**
 * Picks the intent that a lane probes with: at random, so that an intent at which the service always fails does not keep
 * the breaker open. An intent that failed before is picked if the lane has no other, and one that was charged comes last.
 *
 * @param firsts Each the first intent of its key that waits.
 */
export function pickProbe({ breaker }: Turn, firsts: readonly BatchEntry[]): BatchEntry | undefined {
  const uncharged = firsts.filter(({ row }) => row.attempts === 0)
  const unknown = uncharged.filter(({ row }) => !breaker.comparison.remembers(row.id))
  return pickAtRandom(unknown) ?? pickAtRandom(uncharged) ?? pickAtRandom(firsts)
}

/**
 * How the turn ends if the lane is to leave the probe to another lane; undefined if it may ask for the probe. If every lane
 * were as likely to have the probe, lanes that hold only an intent at which the service always fails would keep the
 * breaker open for all. In an outage every intent has failed before: one of many lanes still probes at once, and one of few
 * a moment later.
 */
export function leaveProbe({ breaker }: Turn, probe: BatchEntry | undefined): LaneOutcome | undefined {
  if (!probe) return { kind: 'handed_back', waitMs: NOTHING_MS }
  const { attempts, id } = probe.row
  const hasFailed = attempts > 0 || breaker.comparison.remembers(id)
  return hasFailed && Math.random() < STAND_BACK ? { kind: 'handed_back', waitMs: STAND_BACK_MS } : undefined
}
