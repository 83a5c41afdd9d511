import { chargeAttempt } from '../store/charge-attempt.ts'
import type { QueuedIntent } from '../store/read-lane.ts'
import type { DeadLetter } from '../store/settle.ts'
import type { Verdict } from './judge.ts'
import type { Turn } from './turn.ts'

type Failure = Extract<Verdict, { readonly kind: 'fail' }>

/**
 * Whether a failure may be that of an intent and not of the destination: an answer of the service itself, while
 * nothing has opened the breaker. A timeout or a reset says nothing of the content.
 */
export function mayBeTheirs(turn: Turn, { status = 0 }: Pick<Failure, 'status'>): boolean {
  return status >= 500 && turn.breaker.state === 'closed' && !turn.stopping.aborted
}

/** Milliseconds from the attempt of this number, counted from 1, to the next one. */
export function attemptDelayMs(
  { initialDelayMs, maxDelayMs }: { readonly initialDelayMs: number; readonly maxDelayMs: number },
  made: number,
): number {
  return Math.min(maxDelayMs, initialDelayMs * 2 ** (made - 1))
}

/** An intent has failed alone while another has passed: one attempt of its own, or the end of it. */
export async function charge(turn: Turn, row: QueuedIntent, failure: Failure): Promise<DeadLetter | 'waits'> {
  const { attempts } = turn.intentRetry
  const made = row.attempts + 1
  if (made >= attempts) {
    const message = `failed alone ${made} times while others passed: ${failure.message}`
    return { seq: row.seq, id: row.id, reason: 'exhausted', status: failure.status, message }
  }
  const delayMs = attemptDelayMs(turn.intentRetry, made)
  turn.breaker.comparison.beginAnew(row.id)
  await chargeAttempt(turn.db, turn.fence, row, delayMs)
  turn.waiting.add(row, delayMs)
  return 'waits'
}
