import { expect, test } from 'vitest'
import type { Answer } from '../../src/customerio/answers/answer.ts'
import type { BatchEntry } from '../../src/relay/destination/cut-batch.ts'
import { interpretAnswer } from '../../src/relay/send/interpret-answer.ts'

const row = (seq: string) => ({ seq, id: `id ${seq}` })
const part = (...seqs: string[]) => seqs.map((seq) => ({ row: row(seq) }) as BatchEntry)
const accepted = (
  status: number,
  refused: Extract<Answer, { kind: 'accepted' }>['refused'] = [],
): Answer => ({
  kind: 'accepted',
  status,
  refused,
})

test.each<[string, Answer | undefined]>([
  ['no answer, because the breaker opened', undefined],
  ['a rate limit', { kind: 'rate_limited', retryAfterMs: 1, message: 'slow' }],
])('%s is no failure of the intents: the verdict is wait', (_, answer) => {
  expect(interpretAnswer(answer, part('1', '2'))).toEqual({ kind: 'wait' })
})

test.each([
  ['not_applied', 'no'],
  ['unknown', 'unknown'],
] as const)(
  'a failure with outcome %s blames the destination, and says whether the request was applied',
  (outcome, applied) => {
    const answer: Answer = { kind: 'unavailable', status: 503, outcome, message: 'down' }
    expect(interpretAnswer(answer, part('1'))).toEqual({
      kind: 'fail',
      applied,
      status: 503,
      message: 'down',
      blames: 'destination',
    })
  },
)

test('a refused credential blames the credential, and its request was not applied', () => {
  const answer: Answer = { kind: 'credential', status: 401, message: 'no' }
  const failure = { kind: 'fail', applied: 'no', status: 401, message: 'no', blames: 'credential' }
  expect(interpretAnswer(answer, part('1'))).toEqual(failure)
})

test('an accepted batch is delivered, except for the refused operations, each with the first error that names it', () => {
  const verdict = interpretAnswer(
    accepted(207, [
      { index: 1, reason: 'invalid', field: 'name', message: 'is blank' },
      { index: 1, reason: 'second' },
      { index: 7, reason: 'no operation' },
      { index: -1, reason: 'no operation' },
    ]),
    part('10', '11', '12'),
  )
  expect(verdict).toEqual({
    kind: 'settle',
    delivered: [row('10'), row('12')],
    dead: [{ ...row('11'), reason: 'rejected', status: 207, field: 'name', message: 'invalid: is blank' }],
  })
})

test('an operation that a 200 refuses becomes a dead letter with that status', () => {
  const verdict = interpretAnswer(accepted(200, [{ index: 0, reason: 'invalid' }]), part('10'))
  expect(verdict).toMatchObject({ delivered: [], dead: [{ ...row('10'), status: 200 }] })
})

test('the delivery id of a transactional message is settled with its intent', () => {
  const verdict = interpretAnswer(
    { kind: 'accepted', status: 200, refused: [], deliveryId: 'dlv_1' },
    part('10'),
  )
  expect(verdict).toMatchObject({ delivered: [row('10')], deliveryIds: new Map([['id 10', 'dlv_1']]) })
})

test.each<Answer>([
  { kind: 'rejected', status: 400, field: 'to', message: 'is missing' },
  { kind: 'too_large', status: 413, message: 'too large' },
])('$kind: a batch of several intents is halved, a single intent becomes a dead letter', (answer) => {
  expect(interpretAnswer(answer, part('1', '2'))).toEqual({ kind: 'split' })
  const { kind: reason, ...rest } = answer
  expect(interpretAnswer(answer, part('1'))).toEqual({
    kind: 'settle',
    delivered: [],
    dead: [{ ...row('1'), reason, field: undefined, ...rest }],
  })
})
