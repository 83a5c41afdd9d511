import { type Answer, refusedAll, ok, unauthorized } from '../http/answers.ts'
import { checkMessage } from '../checks/check-message.ts'
import { type Arrival, type FakeOperation, invalid, isRecord, type Refusal } from '../model/operation.ts'
import type { PipelinesRequest } from '../routes/pipelines-routes.ts'
import type { RecordedState } from '../state/recorded-state.ts'

const wrongKey: Refusal = { reason: 'unauthorized', field: '', message: 'the write key is wrong' }

/**
 * Applies the messages of one request. In strict mode, either all messages take effect, or the whole request is refused.
 * Without strict mode the answer is 200, and wrong messages are dropped.
 */
export function serveMessages(
  { pipelines, counts }: RecordedState,
  { strict, operations, refusal }: PipelinesRequest,
  authorized: boolean,
  refuse: ((operation: FakeOperation) => Refusal | undefined) | undefined,
  arrival: Arrival,
): Answer {
  const whole = authorized ? refusal : wrongKey
  if (whole !== undefined) {
    if (strict) return authorized ? refusedAll(400, [whole]) : unauthorized
    // An unreadable request counts as one dropped message.
    if (operations.length === 0) pipelines.drop(undefined, whole, arrival)
    for (const operation of operations) pipelines.drop(bodyOf(operation), whole, arrival)
    return ok
  }
  const refusals = operations.map((operation) =>
    isRecord(operation)
      ? (checkMessage(operation) ?? refuse?.(operation))
      : invalid('', 'a message must be an object'),
  )
  const wrong = refusals.filter((each) => each !== undefined)
  if (strict && wrong.length > 0) {
    counts.refused += wrong.length
    return refusedAll(400, wrong)
  }
  for (const [index, operation] of operations.entries()) {
    const why = refusals[index]
    if (why === undefined) pipelines.record(operation, arrival)
    else pipelines.drop(bodyOf(operation), why, arrival)
  }
  return ok
}

function bodyOf(operation: FakeOperation): unknown {
  return isRecord(operation) ? operation.body : operation
}
