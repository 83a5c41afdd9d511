import { describe, expect, test } from 'vitest'
import { type Evidence, judge } from '../../examples/harness/judge.ts'
import type { AppliedOperation } from '../../src/testing/fake/model/operation.ts'

const order = (id: string, userId = 'ana', total = 10) => ({ id, userId, total })

function arrival(id: string, userId = 'ana', total = 10): AppliedOperation {
  const attributes = { orderId: id, total }
  const operation = { personKey: `id:${userId}`, name: 'order_placed', body: { attributes } }
  return operation as unknown as AppliedOperation
}

const holds: Evidence = {
  committed: [order('1'), order('2', 'bo'), order('3')],
  stored: [order('3'), order('2', 'bo'), order('1')],
  applied: [arrival('2', 'bo'), arrival('1'), arrival('3')],
  queued: { waiting: 0, deadLetters: 0 },
}

describe('the judge of the examples', () => {
  test('is content with every order once, in the sequence of its user', () => {
    expect(judge(holds)).toEqual([])
  })

  test.each<[string, Partial<Evidence>, RegExp]>([
    ['a lost order', { applied: holds.applied.slice(1) }, /the deliveries of bo/],
    ['an order that arrived twice', { applied: [...holds.applied, arrival('3')] }, /the deliveries of ana/],
    ['two orders of a user in the wrong order', { applied: [...holds.applied].reverse() }, /of ana/],
    ['an order that was rolled back', { applied: [...holds.applied, arrival('4', 'cleo')] }, /of cleo/],
    ['another total', { applied: [arrival('2', 'bo', 11), ...holds.applied.slice(1)] }, /of bo/],
    ['a row that was not confirmed', { stored: [...holds.stored, order('9')] }, /the table orders/],
    ['an intent that waits', { queued: { waiting: 1, deadLetters: 0 } }, /an empty queue, got 1/],
    ['a dead letter', { queued: { waiting: 0, deadLetters: 1 } }, /no dead letter, got 1/],
    ['an example that does nothing', { committed: [], stored: [], applied: [] }, /got none/],
  ])('finds %s', (_, changes, problem) => {
    expect(judge({ ...holds, ...changes }).join('\n')).toMatch(problem)
  })
})
