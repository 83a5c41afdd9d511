import { type Answer, refusedAll, taken, unauthorized } from '../http/answers.ts'
import { checkMessage } from '../checks/check-message.ts'
import { type Arrival, type FakeOperation, invalid, isRecord, type Refusal } from '../model/operation.ts'
import type { PipelinesRequest } from '../routes/pipelines-routes.ts'
import type { RecordedState } from '../state/recorded-state.ts'

const wrongKey: Refusal = { reason: 'unauthorized', field: '', message: 'the write key is wrong' }

/**
 * In strict mode a request is taken as a whole or refused as a whole; without it, it is answered 200, and what is wrong with
 * it is dropped.
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
    // What could not be read is one loss.
    if (operations.length === 0) pipelines.drop(undefined, whole, arrival)
    for (const operation of operations) pipelines.drop(bodyOf(operation), whole, arrival)
    return taken
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
    if (why === undefined) pipelines.take(operation, arrival)
    else pipelines.drop(bodyOf(operation), why, arrival)
  }
  return taken
}

function bodyOf(operation: FakeOperation): unknown {
  return isRecord(operation) ? operation.body : operation
}
