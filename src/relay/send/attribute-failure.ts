import { mayBlameContent } from '../../customerio/answers/may-blame-content.ts'
import type { CanaryResult } from '../breaker/failure-history.ts'
import type { LaneOutcome } from '../lane-outcome.ts'
import type { Turn } from '../turn/turn.ts'
import { type Attribution, attribute, type Evidence } from './attribute.ts'
import type { Failure } from './interpret-answer.ts'

/**
 * Finds out whose failure it was, for batches and for messages. The rules are in `attribute.ts`.
 *
 * @param compare Finds out whether other requests pass. Called only if the evidence does not decide.
 * @returns the attribution, or how the turn ends because the comparison was not possible now.
 */
export async function attributeFailure(
  evidence: Evidence,
  compare: () => Promise<CanaryResult>,
): Promise<Attribution | LaneOutcome> {
  const attribution = attribute(evidence)
  if (attribution !== 'undecided') return attribution
  const comparison = await compare()
  return typeof comparison === 'object' ? comparison : attribute(evidence, comparison)
}

/**
 * Whether a request's content may be to blame for its failure. False unless the breaker is closed, because an open one means
 * that the destination fails. False once the relay stops, because there is no time for a comparison.
 */
export function mayBeContent(
  { gate, stopping }: Pick<Turn, 'gate' | 'stopping'>,
  failure: { readonly status?: number | undefined },
): boolean {
  return mayBlameContent(failure) && gate.breaker.state === 'closed' && !stopping.aborted
}

/** Ends the turn after a failure that is not an intent's. A refused credential pauses the destination. */
export async function endBlamed(
  { gate }: Pick<Turn, 'gate'>,
  blamed: Exclude<Attribution, 'intent'>,
  failure: Failure,
): Promise<LaneOutcome> {
  if (blamed === 'credential' && gate.settingsAreCurrent()) {
    await gate.breaker.refuseCredential(failure.status, failure.message)
  }
  return gate.endFailed(failure)
}
