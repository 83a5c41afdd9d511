import type { AppliedOperation } from '../../src/testing/fake/model/operation.ts'
import type { StoredOrder } from './database.ts'

export interface Evidence {
  /** The orders that were committed, each user's in the order of their commits. */
  readonly committed: readonly StoredOrder[]
  /** The orders in the example's table. */
  readonly stored: readonly StoredOrder[]
  /** What took effect at Customer.io, in order. */
  readonly applied: readonly AppliedOperation[]
  readonly queued: { readonly waiting: number; readonly deadLetters: number }
}

/** One sentence for everything that is wrong. Empty if every committed order was delivered once, in order, and nothing else. */
export function judge({ committed, stored, applied, queued }: Evidence): string[] {
  const arrived = applied.filter(({ name }) => name === 'order_placed').map(toOrder)
  const users = new Set([...committed, ...arrived].map(({ userId }) => userId))
  const problems = [...users].flatMap((userId) =>
    compare(`the deliveries of ${userId}`, ofUser(committed, userId), ofUser(arrived, userId)),
  )
  problems.push(...compare('the table orders', sorted(committed), sorted(stored)))
  if (committed.length === 0) problems.push('Expected the example to commit orders, got none')
  if (queued.waiting > 0) problems.push(`Expected an empty queue, got ${queued.waiting} intents`)
  if (queued.deadLetters > 0) problems.push(`Expected no dead letter, got ${queued.deadLetters}`)
  return problems
}

function toOrder({ personKey, body: { attributes = {} } }: AppliedOperation): StoredOrder {
  return {
    id: String(attributes.orderId),
    userId: personKey.replace(/^id:/, ''),
    total: Number(attributes.total),
  }
}

function ofUser(orders: readonly StoredOrder[], userId: string): string[] {
  return orders.filter((order) => order.userId === userId).map(describe)
}

function sorted(orders: readonly StoredOrder[]): string[] {
  return orders.map(describe).sort()
}

const describe = ({ id, userId, total }: StoredOrder) => `${id} of ${userId} for ${total}`

function compare(what: string, expected: string[], got: string[]): string[] {
  return expected.join() === got.join()
    ? []
    : [`Expected ${what} to be\n    ${expected.join(', ')}\n  got\n    ${got.join(', ')}`]
}
