import type { QueuedIntent } from '../../store/lanes/read-lane.ts'
import type { DeadLetter, Settlement } from '../../store/lanes/settle.ts'
import type { BatchEntry } from '../destination/cut-batch.ts'
import type { Permit } from '../breaker/breaker.ts'
import { describeFailure } from '../breaker/describe-failure.ts'
import { mayBeIntentFault } from './charge-failure.ts'
import { type Failure, interpretAnswer, refusalOf } from './interpret-answer.ts'
import type { LaneOutcome } from '../lane-outcome.ts'
import type { Turn } from '../turn/turn.ts'

/** An intent whose request failed, and which is still in the queue. */
export interface Failed {
  readonly entry: BatchEntry
  /** It had failed before, as far as this relay knows. */
  readonly hadFailedBefore: boolean
  readonly verdict: Failure
}

export interface Sent {
  readonly settlement?: Settlement
  /** Its request is known to have had no effect: its mark goes. */
  readonly unsent?: QueuedIntent
  /** The request failed, and the intent is still in the queue. */
  readonly failure?: Failed
  readonly outcome?: LaneOutcome
}

/** Sends one marked intent in a request of its own, and says what is to be settled. */
export async function sendNonIdempotent(turn: Turn, entry: BatchEntry, permit: Permit): Promise<Sent> {
  const { row } = entry
  const { history } = turn.breaker
  const { passes } = history
  const hadFailedBefore = history.hasFailed(row.id)
  const answer = await turn.breaker.run(permit, () => turn.destination.transport.send([entry.item]), {
    retries: 'unless unknown',
    stopping: turn.stopping,
    counts: (failure) => {
      if (failure.kind === 'unavailable')
        return !(mayBeIntentFault(turn, failure) && isComparable(turn, entry.row))
      // While the breaker is closed the end of the wave decides.
      return !(mayBeIntentFault(turn, failure) || isTheirProbe(turn, entry.row, refusalOf(failure)))
    },
  })
  if (answer?.kind === 'credential') history.recordFailure(entry.row.id, passes)
  const verdict = interpretAnswer(answer, [entry])
  switch (verdict.kind) {
    case 'settle': {
      const settlement = await turn.breaker.admit(verdict, () => false)
      const isSettled = settlement.delivered.length + settlement.dead.length > 0
      return isSettled ? { settlement } : { unsent: row, outcome: { kind: 'handed_back' } }
    }
    case 'wait':
    case 'split':
      return { unsent: row, outcome: { kind: 'handed_back' } }
    case 'fail': {
      const failure = { entry, hadFailedBefore, verdict }
      if (verdict.applied === 'no') return { unsent: row, failure }
      if (row.onAmbiguous === 'resend') return { failure } // the mark stays: it says that one may be out already
      return { settlement: { delivered: [], dead: [ambiguous(row, describeFailure(verdict))] } }
    }
  }
}

/** Others pass: its failure does not count against the destination. */
export function isComparable({ breaker }: Turn, { id, attempts }: QueuedIntent): boolean {
  return breaker.history.hasPassedFor(id, attempts)
}

/** A probe that is refused although others passed with the credential since it was refused first: its content is to blame. */
export function isTheirProbe(
  { breaker }: Turn,
  { id }: QueuedIntent,
  { refused }: Pick<Failure, 'refused'>,
): boolean {
  return refused === 'credential' && breaker.state === 'half_open' && breaker.history.hasPassedSince(id)
}

/** A request may have gone out, and its answer is not known. */
export function ambiguous({ seq, id }: QueuedIntent, known: string): DeadLetter {
  const message = `it may have been sent, Customer.io cannot tell a second one: ${known}`
  return { seq, id, reason: 'ambiguous', message }
}
