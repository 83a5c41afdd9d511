import type { CanaryResult } from '../breaker/failure-history.ts'
import { cutWave } from '../destination/cut-wave.ts'
import { GO_ON, type NextStep } from '../lane-outcome.ts'
import type { Turn } from '../turn/turn.ts'
import { compareWithHistory, type Evidence } from './attribute.ts'
import { attributeFailure, endBlamed } from './attribute-failure.ts'
import { chargeFailure } from './charge-failure.ts'
import { MOST_KEYS, sendMarked, settleAndDrop } from './send-marked.ts'
import { type Failed, messageMayBeContent, recordOfMessage } from './send-non-idempotent.ts'

/**
 * Attributes the failures of a wave of messages, and acts on them. A message that failed while others passed is charged an
 * attempt and waits, and the turn goes on. Any other failure ends the turn.
 *
 * @param passesBefore `FailureHistory.passes` when the wave was sent.
 */
export async function endWave(
  turn: Turn,
  failures: readonly Failed[],
  passesBefore: number,
): Promise<NextStep> {
  const isRefused = ({ failure }: Failed) => failure.blames === 'credential'
  const refused = failures.filter(isRefused)
  // Refused messages first: their comparison may show that others pass.
  for (const failed of [...refused, ...failures.filter((one) => !isRefused(one))]) {
    const evidence = evidenceOf(turn, failed, passesBefore)
    const whose = await attributeFailure(evidence, () => compare(turn, failed, refused))
    if (typeof whose === 'object') return whose
    if (whose !== 'intent') {
      for (const { entry } of failures) turn.gate.history.resetBaseline(entry.row.id)
      return endBlamed(turn, whose, failed.failure)
    }
    const dead = await chargeFailure(turn, failed.entry.row, failed.failure)
    if (dead) await settleAndDrop(turn, { delivered: [], dead: [dead] })
  }
  return GO_ON
}

function evidenceOf(turn: Turn, { entry, failure }: Failed, passesBefore: number): Evidence {
  return {
    blames: failure.blames,
    mayBeContent: messageMayBeContent(turn, entry.row, failure),
    othersPass: turn.gate.history.passes > passesBefore,
  }
}

/**
 * Whether other messages pass. A refused credential is tried with another message of the lane, unless the failed one was the
 * probe. An unavailable service is not tried with more messages, because they must not be sent twice.
 */
async function compare(turn: Turn, failed: Failed, refused: readonly Failed[]): Promise<CanaryResult> {
  const { row } = failed.entry
  if (failed.failure.blames === 'destination' || turn.gate.breaker.state !== 'closed') {
    return compareWithHistory(recordOfMessage(turn, row))
  }
  // The messages of two people were refused, and none passed.
  if (refused.length > 1) return 'fail'
  return sendOther(turn, failed)
}

/** Sends another message of the lane, which is the first of its ordering key. */
async function sendOther(turn: Turn, { entry: { row }, hadFailedBefore }: Failed): Promise<CanaryResult> {
  const { gate, reader, keys } = turn
  const rows = (await reader.peek()).filter(
    ({ orderingKey }) => orderingKey !== row.orderingKey && !keys.blocked.has(orderingKey),
  )
  const [other] = cutWave(gate.destination, rows, MOST_KEYS).batch
  if (!other) {
    // A first refusal proves nothing: the lane waits with its backoff, and meanwhile messages may pass in other lanes. If a
    // message was charged before, its refusal is assumed to be about its content.
    const provesNothing = !hadFailedBefore || row.attempts > 0
    return compareWithHistory(recordOfMessage(turn, row, provesNothing))
  }
  const permit = await gate.acquireOrdinaryPermit()
  if (typeof permit === 'object') return permit
  const { outcome, failures } = await sendMarked(turn, [other], permit)
  if (outcome) return outcome
  const [failed] = failures
  if (!failed) return 'pass'
  gate.history.resetBaseline(failed.entry.row.id)
  return failed.failure.blames === 'credential' ? 'fail' : gate.endFailed(failed.failure)
}
