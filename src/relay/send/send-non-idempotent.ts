import type { QueuedIntent } from '../../store/lanes/queued-intent.ts'
import type { DeadLetter, Settlement } from '../../store/lanes/settle.ts'
import type { BatchEntry } from '../destination/cut-batch.ts'
import type { Permit } from '../breaker/breaker.ts'
import { describeFailure } from '../breaker/describe-failure.ts'
import type { Blamed } from '../breaker/failure-history.ts'
import type { LaneOutcome } from '../lane-outcome.ts'
import type { Turn } from '../turn/turn.ts'
import { countsAtOnce, type FailureRecord } from './attribute.ts'
import { mayBeContent } from './attribute-failure.ts'
import { blameOf, type Failure, interpretAnswer } from './interpret-answer.ts'

/** An intent whose request failed, and which is still in the queue. */
export interface Failed {
  readonly entry: BatchEntry
  /** Whether the intent had failed before, as far as this relay remembers. */
  readonly hadFailedBefore: boolean
  readonly failure: Failure
}

export interface Sent {
  readonly settlement?: Settlement
  /** The intent, if its request had no effect: the caller removes its mark. */
  readonly unsent?: QueuedIntent
  /** The request failed, and the intent is still in the queue. */
  readonly failure?: Failed
  readonly outcome?: LaneOutcome
}

/** Sends one marked intent in a request of its own, and returns its settlement or failure. */
export async function sendNonIdempotent(turn: Turn, entry: BatchEntry, permit: Permit): Promise<Sent> {
  const { row } = entry
  const { breaker, destination, history } = turn.gate
  const { passes } = history
  const hadFailedBefore = history.hasFailed(row.id)
  const answer = await breaker.run(permit, () => destination.transport.send([entry.item]), {
    retries: 'unless unknown',
    stopping: turn.stopping,
    counts: (failure) => {
      const blames = blameOf(failure)
      const mayBe = messageMayBeContent(turn, row, { status: failure.status, blames })
      // The end of the wave compares a refused message. An unavailable service is not tried with more messages.
      return countsAtOnce(mayBe, recordOfMessage(turn, row), () => blames === 'credential')
    },
  })
  if (answer?.kind === 'credential') history.recordFailure(row.id, passes)
  const verdict = interpretAnswer(answer, [entry])
  switch (verdict.kind) {
    case 'settle': {
      const settlement = await breaker.admit(verdict, () => false)
      const isSettled = settlement.delivered.length + settlement.dead.length > 0
      return isSettled ? { settlement } : { unsent: row, outcome: { kind: 'handed_back' } }
    }
    case 'wait':
    case 'split':
      return { unsent: row, outcome: { kind: 'handed_back' } }
    case 'fail': {
      const failure = { entry, hadFailedBefore, failure: verdict }
      if (verdict.applied === 'no') return { unsent: row, failure }
      if (row.onAmbiguous === 'resend') return { failure } // the mark stays: a message may be out already
      return { settlement: { delivered: [], dead: [ambiguous(row, describeFailure(verdict))] } }
    }
  }
}

/**
 * Whether a message's content may be to blame for its failure. For the probe of a half-open breaker: true if the credential
 * is refused, although other requests have passed since the message failed first.
 */
export function messageMayBeContent(
  turn: Pick<Turn, 'gate' | 'stopping'>,
  { id }: QueuedIntent,
  failure: { readonly status: number | undefined; readonly blames: Blamed },
): boolean {
  const { breaker, history } = turn.gate
  const isRefusedProbe = failure.blames === 'credential' && breaker.state === 'half_open'
  return mayBeContent(turn, failure) || (isRefusedProbe && history.hasPassedSince(id))
}

/**
 * What this relay remembers of a failed message.
 *
 * @param provesNothing See `FailureRecord`. Default: false.
 */
export function recordOfMessage(
  { gate }: Pick<Turn, 'gate'>,
  { id, attempts }: QueuedIntent,
  provesNothing = false,
): FailureRecord {
  return { othersPassed: gate.history.hasPassedFor(id, attempts), provesNothing }
}

/** @returns the dead letter of an intent whose request may have been sent, and whose answer is not known. */
export function ambiguous({ seq, id }: QueuedIntent, known: string): DeadLetter {
  const message = `Customer.io may have sent it, and would send it again: ${known}`
  return { seq, id, reason: 'ambiguous', message }
}
