import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Harness, startHarness, stepOf, track } from '../support/relay-harness.ts'
import { accountFor, findings } from './support/account.ts'

/*
 * Guards `interpretAnswer`, which takes the refused operations out of an accepted batch.
 * A test fails after each of these changes of `interpretAnswer`:
 * - if it ignores the errors of the answer (`settleItems(part, [])`): 100 intents are delivered and none is dead, instead
 *   of 90 and 10;
 * - if it takes a 207 for a refusal of the whole batch, which is then halved: 87 requests instead of 1.
 */

let h: Harness
beforeEach(async () => {
  h = await startHarness({ sequenceOf: stepOf })
})
afterEach(() => h.close())

const people = ['ann', 'bob', 'cy', 'dee', 'eve']

test('11: a 207 with k errors makes k dead letters with reason and field, the rest is delivered, and nothing is sent again', async () => {
  h.fake.misbehave({
    kind: 'refuse',
    operation: (op) =>
      Number(stepOf(op)) % 10 === 3 && {
        reason: 'invalid',
        field: 'name',
        message: `${stepOf(op)} is not allowed`,
      },
  })
  // One lane, so that the intents share a request.
  const ids = await h.enqueueWith(
    { orderingKey: 'one lane' },
    ...Array.from({ length: 100 }, (_, n) => track(people[n % people.length] ?? '', n)),
  )
  await h.relay()
  await h.drained()
  expect(h.fake.requests.total).toBe(1)
  expect(h.fake.requests.byStatus).toEqual({ 207: 1 })
  expect(await accountFor(h, ids)).toMatchObject({ delivered: 90, dead: 10, pending: 0 })
  expect(h.fake.counts).toMatchObject({ applied: 90, duplicates: 0, refused: 10, outOfOrder: 0 })
  expect(await findings(h, ids)).toEqual([])
  const dead = await h.db.rows(
    `SELECT (payload #>> '{data,n}')::int AS n, reason, status, field, message FROM outbox.dead_letters ORDER BY seq`,
  )
  expect(dead).toEqual(
    [3, 13, 23, 33, 43, 53, 63, 73, 83, 93].map((n) => ({
      n,
      reason: 'rejected',
      status: 207,
      field: 'name',
      message: `invalid: ${n} is not allowed`,
    })),
  )
})

test('11: every operation of a batch is refused: all are dead letters after one request', async () => {
  h.fake.misbehave({ kind: 'refuse', operation: () => ({ reason: 'invalid', field: 'identifiers' }) })
  const ids = await h.enqueue(...Array.from({ length: 20 }, (_, n) => track('ann', n)))
  await h.relay()
  await h.drained()
  expect(h.fake.requests.total).toBe(1)
  expect(await accountFor(h, ids)).toMatchObject({ delivered: 0, dead: 20 })
  expect(await h.db.rows('SELECT reason, count FROM outbox.dead_letter_summary')).toEqual([
    { reason: 'rejected', count: '20' },
  ])
  expect(await h.db.rows('SELECT 1 FROM outbox.breaker_transitions')).toEqual([])
})
