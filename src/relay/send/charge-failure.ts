import type { QueuedIntent } from '../../store/lanes/queued-intent.ts'
import type { DeadLetter } from '../../store/lanes/settle.ts'
import { exponentialMs } from '../timing/backoff.ts'
import type { Turn } from '../turn/turn.ts'
import type { Failure } from './interpret-answer.ts'

/** Milliseconds from the attempt of this number, counted from 1, to the next one. */
export function attemptDelayMs(
  { initialDelayMs, maxDelayMs }: { readonly initialDelayMs: number; readonly maxDelayMs: number },
  attempt: number,
): number {
  return exponentialMs(attempt, { first: initialDelayMs, max: maxDelayMs })
}

/**
 * Charges an attempt to an intent that has failed alone while others passed.
 *
 * @returns the dead letter to settle after its last attempt. Undefined: the intent waits for its next attempt.
 */
export async function chargeFailure(
  { intentRetry, gate, writer, keys }: Pick<Turn, 'intentRetry' | 'gate' | 'writer' | 'keys'>,
  row: QueuedIntent,
  failure: Failure,
): Promise<DeadLetter | undefined> {
  const attempt = row.attempts + 1
  if (attempt >= intentRetry.attempts) {
    const message = `failed alone ${attempt} times while others passed: ${failure.message}`
    return { seq: row.seq, id: row.id, reason: 'exhausted', status: failure.status, message }
  }
  const delayMs = attemptDelayMs(intentRetry, attempt)
  gate.history.resetBaseline(row.id)
  await writer.chargeAttempt(row, delayMs)
  keys.blocked.add(row, delayMs)
  keys.suspects.dropKey(row.orderingKey) // the lane reads the key's intents again when this one is due
  return undefined
}
