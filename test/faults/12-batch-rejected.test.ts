import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Misbehaviour } from '../../src/testing/index.ts'
import { type Harness, startHarness, stepOf, track } from '../support/relay-harness.ts'
import { accountFor, findings } from './support/account.ts'

/*
 * Guards the halving in `sendPart`.
 * A test fails after each of these changes:
 * - if a refused batch is settled as a whole: 256 dead letters instead of 1;
 * - if the second half is sent before the first: 127 operations out of order.
 */

let h: Harness
beforeEach(async () => {
  h = await startHarness({ sequenceOf: stepOf })
})
afterEach(() => h.close())

const guilty = (op: object) => stepOf(op) === 101
const REFUSALS: readonly (readonly [string, Misbehaviour, object])[] = [
  [
    'a 400',
    {
      kind: 'badRequest',
      operation: guilty,
      refusal: { reason: 'invalid', field: 'attributes', message: 'no' },
    },
    { reason: 'rejected', status: 400, field: 'attributes' },
  ],
]

test.each(REFUSALS)(
  '12: after %s to a whole batch, halving finds its one culprit',
  async (_, misbehaviour, letter) => {
    h.fake.misbehave(misbehaviour)
    const ids = await h.enqueueWith(
      { orderingKey: 'one lane' },
      ...Array.from({ length: 256 }, (_, n) => track(`u${n % 7}`, n)),
    )
    await h.relay()
    await h.drained()
    const dead = await h.db.rows('SELECT id, reason, status, field FROM outbox.dead_letters')
    expect(dead).toEqual([{ id: ids[101], ...letter }])
    expect(await accountFor(h, ids)).toMatchObject({ delivered: 255, dead: 1, pending: 0 })
    // No operation was applied twice, or before an earlier one of its person.
    expect(h.fake.counts).toMatchObject({ applied: 255, duplicates: 0, outOfOrder: 0 })
    expect(await findings(h, ids)).toEqual([])
    // 256 is halved eight times: each time one half is refused, and one is accepted.
    expect(h.fake.requests.total).toBe(1 + 2 * 8)
    expect(await h.db.rows('SELECT 1 FROM outbox.breaker_transitions')).toEqual([])
  },
)

test('12: halving finds each of several culprits, and all other intents are delivered', async () => {
  h.fake.misbehave({ kind: 'badRequest', operation: (op) => Number(stepOf(op)) % 20 === 7 })
  const ids = await h.enqueueWith(
    { orderingKey: 'one lane' },
    ...Array.from({ length: 100 }, (_, n) => track('u', n)),
  )
  await h.relay()
  await h.drained()
  const dead = await h.db.rows<{ id: string }>('SELECT id FROM outbox.dead_letters ORDER BY seq')
  expect(dead.map(({ id }) => ids.indexOf(id))).toEqual([7, 27, 47, 67, 87])
  expect(h.fake.counts).toMatchObject({ applied: 95, duplicates: 0, outOfOrder: 0 })
  expect(await findings(h, ids)).toEqual([])
})
