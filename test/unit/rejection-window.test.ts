import { expect, test } from 'vitest'
import { RejectionWindow } from '../../src/relay/breaker/rejection-window.ts'

const HOUR_MS = 3_600_000
let letters = 0
const rejected = (count: number) => ({
  delivered: [],
  dead: Array.from({ length: count }, () => {
    const id = String(++letters)
    return { seq: id, id, reason: 'rejected' as const, status: 400 }
  }),
})
const stays = () => false

test('rejected intents beyond the limit stay in the queue', () => {
  const window = new RejectionWindow({ rejections: 100, rejectionShare: 0.5 })
  expect(window.admit(rejected(99), stays).stop).toBeUndefined()
  const { settlement, stop } = window.admit(rejected(5), stays)
  expect(settlement.dead).toHaveLength(1)
  expect(stop).toEqual({ rejected: 100, of: 100, statuses: [400] })
})

test('rejections of different hours do not add up', () => {
  let now = 0
  const window = new RejectionWindow({ rejections: 100, rejectionShare: 0.5 }, () => now)
  for (let hour = 0; hour < 5; hour++) {
    now = hour * (HOUR_MS + 1)
    expect(window.admit(rejected(60), stays).stop).toBeUndefined()
  }
  expect(window.admit(rejected(60), stays).stop).toBeDefined()
})
