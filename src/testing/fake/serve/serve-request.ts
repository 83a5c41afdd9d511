import type { DecidingMisbehaviour } from '../model/active-misbehaviours.ts'
import {
  type Answer,
  answerOf,
  notFound,
  partlyRefused,
  refused,
  regionAnswer,
  ok,
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

/** Whether the fake applies the request, even if the caller gets another answer or none. */
export function takesEffect(misbehaviour: DecidingMisbehaviour | undefined): boolean {
  if (misbehaviour === undefined || misbehaviour.kind === 'drip') return true
  if (misbehaviour.kind === 'garbage') return misbehaviour.after !== 'before'
  return 'after' in misbehaviour && misbehaviour.after === 'apply'
}

/** The facts, apart from the request itself, that decide its effect. */
export interface RequestContext {
  readonly authorized: boolean
  readonly refuse: Refuse
  readonly arrival: Arrival
  readonly limits: FakeLimits
  readonly region: 'us' | 'eu'
}

/** Applies a request and returns the regular answer. */
export function serveRequest(
  state: RecordedState,
  parsed: ParsedRequest,
  { authorized, refuse, arrival, limits, region }: RequestContext,
): Answer {
  // The Pipelines API reports a wrong key only in strict mode, so it handles authorization itself.
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

/** Checks every operation, applies the valid ones in the order of the request, and reports the others. */
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
  if (first === undefined) return ok
  if (form === 'batch') return partlyRefused(errors)
  const { reason, field, message } = first
  return refused(form, 400, { reason, field, message })
}

/** Checks the size of an operation of a batch. On `/entity` the body is the operation, and its size is checked already. */
function checkSize(operation: FakeOperation, form: ErrorForm): Refusal | undefined {
  if (form !== 'batch' || !isRecord(operation)) return undefined
  if (!exceedsJsonBytes(operation, publishedLimits.operationBytes)) return undefined
  return tooLarge('', `an operation must be at most ${publishedLimits.operationBytes} bytes`)
}

/** Answers as the misbehaviour says, or with the regular answer. Returns the status, or undefined for no answer. */
export function endExchange(
  exchange: Exchange,
  misbehaviour: DecidingMisbehaviour | undefined,
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
