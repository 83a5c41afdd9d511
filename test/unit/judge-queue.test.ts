import { expect, test } from 'vitest'
import { judgeQueue, type Patience } from '../../src/relay/dispatch/judge-queue.ts'
import type { BreakerRow } from '../../src/store/breakers/read-breakers.ts'

const row = (
  destination: string,
  state: BreakerRow['state'],
  more: Partial<BreakerRow> = {},
): BreakerRow => ({
  destination,
  state,
  failureCount: 0,
  retryInMs: null,
  rateLimitedForMs: null,
  probeRelay: null,
  probeLeftMs: null,
  ...more,
})
const a = { destination: 'a/track', lane: 3 }
const b = { destination: 'b/track', lane: 0 }
const NO_PROBE: Patience = { rateLimitMs: 10_000, probeMs: 0 }

test('without lanes the queue is empty, unless a scheduled intent is due or an action is open', () => {
  expect(judgeQueue({ lanes: [] }, NO_PROBE)).toBe('empty')
  expect(judgeQueue({ lanes: [], dueInMs: null }, NO_PROBE)).toBe('empty')
  expect(judgeQueue({ lanes: [], dueInMs: 5 }, NO_PROBE)).toBe('empty')
  expect(judgeQueue({ lanes: [], dueInMs: 0 }, NO_PROBE)).toBe('has_work')
  expect(judgeQueue({ lanes: [], breakers: [row('a/track', 'paused')] }, NO_PROBE)).toBe('empty')
  expect(judgeQueue({ lanes: [], openActions: 1 }, NO_PROBE)).toBe('has_work')
})

test.each<[string, BreakerRow | undefined, Patience, 'stopped' | 'has_work']>([
  ['no row', undefined, NO_PROBE, 'has_work'],
  ['closed', row('a/track', 'closed'), NO_PROBE, 'has_work'],
  ['half open', row('a/track', 'half_open', { probeLeftMs: 20_000 }), NO_PROBE, 'has_work'],
  ['open, no patience', row('a/track', 'open', { retryInMs: 1 }), NO_PROBE, 'stopped'],
  ['open, probe due', row('a/track', 'open', { retryInMs: -1 }), NO_PROBE, 'has_work'],
  ['open, patience', row('a/track', 'open', { retryInMs: 999 }), { ...NO_PROBE, probeMs: 999 }, 'has_work'],
  ['open for longer', row('a/track', 'open', { retryInMs: 1_000 }), { ...NO_PROBE, probeMs: 999 }, 'stopped'],
  ['refused credential', row('a/track', 'paused', { retryInMs: 1 }), NO_PROBE, 'stopped'],
  ['refused credential, probe due', row('a/track', 'paused', { retryInMs: 0 }), NO_PROBE, 'has_work'],
  ['paused by an operator', row('a/track', 'paused'), { ...NO_PROBE, probeMs: 1e9 }, 'stopped'],
  ['rejecting', row('a/track', 'rejecting'), { ...NO_PROBE, probeMs: 1e9 }, 'stopped'],
  ['short rate limit', row('a/track', 'closed', { rateLimitedForMs: 10_000 }), NO_PROBE, 'has_work'],
  ['long rate limit', row('a/track', 'closed', { rateLimitedForMs: 10_001 }), NO_PROBE, 'stopped'],
  ['the row of another destination', row('b/track', 'rejecting'), NO_PROBE, 'has_work'],
])('one destination, %s', (_, breaker, patience, verdict) => {
  expect(judgeQueue({ lanes: [a], breakers: breaker ? [breaker] : [] }, patience)).toBe(verdict)
})

test('the queue is stopped only if every destination that has lanes is', () => {
  const breakers = [row('a/track', 'rejecting')]
  expect(judgeQueue({ lanes: [a, b], breakers }, NO_PROBE)).toBe('has_work')
  expect(judgeQueue({ lanes: [a, b], breakers: [...breakers, row('b/track', 'paused')] }, NO_PROBE)).toBe(
    'stopped',
  )
  expect(judgeQueue({ lanes: [a], breakers, dueInMs: -1 }, NO_PROBE)).toBe('has_work')
})
