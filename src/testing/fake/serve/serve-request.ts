import type { Deciding } from '../model/active-misbehaviours.ts'
import {
  type Answer,
  answerOf,
  notFound,
  partlyRefused,
  refused,
  regionAnswer,
  taken,
  unauthorized,
} from '../http/answers.ts'
import { applyOperation } from '../state/apply-operation.ts'
import { checkOperation } from '../checks/check-operation.ts'
import type { Exchange } from '../http/http-server.ts'
import { type Arrival, type FakeOperation, isRecord, type Refusal, tooLarge } from '../model/operation.ts'
import type { ErrorForm, ParsedRequest } from '../routes/parse-request.ts'
import { exceedsJsonBytes, publishedLimits } from '../model/published-limits.ts'
import type { FakeLimits } from '../model/rate-limits.ts'
import type { RecordedState } from '../state/recorded-state.ts'
import { serveSend, serveTrigger } from './serve-app.ts'
import { serveMessages } from './serve-pipelines.ts'

type Refuse = ((operation: FakeOperation) => Refusal | undefined) | undefined

/** Whether the request is served as usual, whatever the caller gets to see of it. */
export function takesEffect(misbehaviour: Deciding | undefined): boolean {
  if (misbehaviour === undefined || misbehaviour.kind === 'drip') return true
  if (misbehaviour.kind === 'garbage') return misbehaviour.after !== 'before'
  return 'after' in misbehaviour && misbehaviour.after === 'apply'
}

export interface Circumstances {
  readonly authorized: boolean
  readonly refuse: Refuse
  readonly arrival: Arrival
  readonly limits: FakeLimits
  readonly region: 'us' | 'eu'
}

/** Gives a request its effect, and returns the regular answer. */
export function serveRequest(
  state: RecordedState,
  parsed: ParsedRequest,
  { authorized, refuse, arrival, limits, region }: Circumstances,
): Answer {
  // The Pipelines API answers for a wrong key by itself: only strict mode hears of it.
  if (parsed.kind === 'messages') return serveMessages(state, parsed, authorized, refuse, arrival)
  if (!authorized) return unauthorized
  switch (parsed.kind) {
    case 'unknown':
      return notFound
    case 'region':
      return regionAnswer(region)
    case 'malformed':
      return refused(parsed.form, parsed.status, parsed.refusal)
    case 'operations':
      return serveOperations(state, parsed.operations, parsed.form, refuse, arrival)
    case 'send':
      return serveSend(state, parsed, limits, arrival)
    case 'trigger':
      return serveTrigger(state, parsed, limits, arrival)
  }
}

/** Checks every operation, applies those that pass, in the order of the request, and answers for the rest. */
function serveOperations(
  state: RecordedState,
  operations: readonly FakeOperation[],
  form: ErrorForm,
  refuse: Refuse,
  arrival: Arrival,
): Answer {
  const errors: (Refusal & { readonly batch_index: number })[] = []
  for (const [index, operation] of operations.entries()) {
    const refusal = checkSize(operation, form) ?? checkOperation(operation) ?? refuse?.(operation)
    if (refusal === undefined) applyOperation(state, operation, arrival)
    else errors.push({ batch_index: index, ...refusal })
  }
  state.counts.refused += errors.length
  const [first] = errors
  if (first === undefined) return taken
  if (form === 'batch') return partlyRefused(errors)
  const { reason, field, message } = first
  return refused(form, 400, { reason, field, message })
}

/** On `/entity` the body is the operation, and was measured as such. */
function checkSize(operation: FakeOperation, form: ErrorForm): Refusal | undefined {
  if (form !== 'batch' || !isRecord(operation)) return undefined
  if (!exceedsJsonBytes(operation, publishedLimits.operationBytes)) return undefined
  return tooLarge('', `an operation must be at most ${publishedLimits.operationBytes} bytes`)
}

/** Ends the exchange as the misbehaviour says, else with the regular answer; returns the status, where there is one. */
export function endExchange(
  exchange: Exchange,
  misbehaviour: Deciding | undefined,
  parsed: ParsedRequest,
  regular: Answer | undefined,
): number | undefined {
  if (misbehaviour?.kind === 'hang') return undefined
  if (misbehaviour?.kind === 'reset') {
    exchange.reset()
    return undefined
  }
  const form: ErrorForm = 'form' in parsed ? parsed.form : 'v1Error'
  const answer = (misbehaviour && answerOf(misbehaviour, form)) ?? regular ?? notFound
  if (misbehaviour?.kind === 'drip') exchange.drip(answer, misbehaviour.everyMs)
  else exchange.send(answer)
  return answer.status
}
