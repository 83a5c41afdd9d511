import { chargeAttempt } from '../../store/lanes/charge-attempt.ts'
import type { QueuedIntent } from '../../store/lanes/read-lane.ts'
import type { DeadLetter } from '../../store/lanes/settle.ts'
import { mayBlameContent } from '../../customerio/answers/may-blame-content.ts'
import type { Failure } from './interpret-answer.ts'
import type { LaneOutcome } from '../lane-outcome.ts'
import { endFailed, type Turn } from '../turn/turn.ts'

/** Whether a failure may be that of an intent and not of the destination. Only while nothing has opened the breaker. */
export function mayBeIntentFault(turn: Turn, failure: Pick<Failure, 'status'>): boolean {
  return mayBlameContent(failure) && turn.breaker.state === 'closed' && !turn.stopping.aborted
}

/** No other request passes either: a credential that was refused pauses the destination. How the turn ends. */
export async function blameDestination(turn: Turn, failure: Failure): Promise<LaneOutcome> {
  if (failure.refused && turn.settingsAreCurrent()) {
    await turn.breaker.refuseCredential(failure.status, failure.message)
  }
  return endFailed(turn, failure)
}

/** Milliseconds from the attempt of this number, counted from 1, to the next one. */
export function attemptDelayMs(
  { initialDelayMs, maxDelayMs }: { readonly initialDelayMs: number; readonly maxDelayMs: number },
  made: number,
): number {
  return Math.min(maxDelayMs, initialDelayMs * 2 ** (made - 1))
}

/** An intent has failed alone while another has passed: one attempt of its own, or the end of it. */
export async function chargeFailure(
  turn: Turn,
  row: QueuedIntent,
  failure: Failure,
): Promise<DeadLetter | 'waits'> {
  const { attempts } = turn.intentRetry
  const made = row.attempts + 1
  if (made >= attempts) {
    const message = `failed alone ${made} times while others passed: ${failure.message}`
    return { seq: row.seq, id: row.id, reason: 'exhausted', status: failure.status, message }
  }
  const delayMs = attemptDelayMs(turn.intentRetry, made)
  turn.breaker.history.resetBaseline(row.id)
  await chargeAttempt(turn.db, turn.fence, row, delayMs)
  turn.blocked.add(row, delayMs)
  turn.suspects.dropKey(row.orderingKey) // what follows it is read again when it is due
  return 'waits'
}
