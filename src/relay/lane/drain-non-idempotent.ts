import type { QueuedIntent } from '../../store/lanes/queued-intent.ts'
import type { DeadLetter } from '../../store/lanes/settle.ts'
import { cutEach, cutWave } from '../destination/cut-wave.ts'
import { GO_ON, type LaneOutcome, type NextStep } from '../lane-outcome.ts'
import { endWave } from '../send/end-wave.ts'
import { NOTHING_TO_PROBE, pickProbe, PROBE_YIELDED, yieldsProbe } from '../send/probe.ts'
import { ambiguous } from '../send/send-non-idempotent.ts'
import { MOST_KEYS, sendMarked, settleAndDrop } from '../send/send-marked.ts'
import { waitForMore, nextRows, outcomeWithoutWork, type Turn } from '../turn/turn.ts'

/**
 * Sends intents that must not be sent twice: mark → send → settle, one request per intent. The mark is committed before the
 * request: a relay that finds it later knows that a request may have been sent. Order holds per key, and several keys are
 * sent at a time: a wave is the first waiting intent of each of the next keys.
 */
export async function drainNonIdempotent(turn: Turn): Promise<LaneOutcome> {
  const { reader, keys } = turn
  for (let wave = 0; !turn.stopping.aborted && !keys.blocked.isDue; wave++) {
    if ((await reader.peek()).length === 0) {
      if (!(await waitForMore(turn))) return outcomeWithoutWork(keys)
      wave = -1 // as in a new turn
      continue
    }
    if (wave > 0) await reader.readAhead(0) // reads the next keys, although rows of the last ones are left
    const rows = await nextRows(turn)
    if (rows.length === 0) return outcomeWithoutWork(keys)
    const parked = rows.filter(isParked)
    if (parked.length > 0) {
      await settleAndDrop(turn, { delivered: [], dead: parked.map(foundMarked) })
      continue
    }
    const step = await sendWave(turn, rows)
    if (step.kind !== 'go_on') return step
  }
  return { kind: 'handed_back' }
}

async function sendWave(turn: Turn, rows: readonly QueuedIntent[]): Promise<NextStep> {
  const { gate } = turn
  const wave = cutWave(gate.destination, rows, MOST_KEYS)
  if (wave.dead.length + wave.suppressed.length > 0) {
    // Settled without a permit: rows that are not sent must not use the rate limit.
    const { dead, suppressed } = cutEach(gate.destination, rows)
    await settleAndDrop(turn, { delivered: [], dead, suppressed })
    return GO_ON
  }
  const isClosed = gate.breaker.state === 'closed'
  const probe = isClosed ? undefined : pickProbe(gate.history, wave.batch)
  if (!isClosed) {
    if (!probe) return NOTHING_TO_PROBE
    if (yieldsProbe(gate.history, probe)) return PROBE_YIELDED
  }
  const permit = await gate.acquirePermit()
  if (typeof permit === 'object') return permit
  const { passes } = gate.history
  const entries = permit === 'probe' ? wave.batch.filter((entry) => entry === probe) : wave.batch
  const { outcome, failures } = await sendMarked(turn, entries, permit)
  return outcome ?? endWave(turn, failures, passes)
}

/** Whether an intent was found marked and must not be sent again: the relay that set the mark ended before it could settle. */
function isParked(row: QueuedIntent): boolean {
  return row.sending && row.onAmbiguous === 'park'
}

/** @returns the dead letter of an intent that was found marked. */
function foundMarked(row: QueuedIntent): DeadLetter {
  return ambiguous(row, 'the relay ended before the answer came')
}
