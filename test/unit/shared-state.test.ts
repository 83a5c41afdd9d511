import { expect, test } from 'vitest'
import { SharedState } from '../../src/relay/breaker/shared-state.ts'
import type { BreakerRow } from '../../src/store/breakers/read-breakers.ts'

const CLOSED: BreakerRow = {
  destination: 'default/track',
  state: 'closed',
  failureCount: 0,
  retryInMs: null,
  rateLimitedForMs: null,
  probeRelay: null,
  probeLeftMs: null,
}
const OPEN: BreakerRow = { ...CLOSED, state: 'open', retryInMs: 1_000 }
const HALF_OPEN: BreakerRow = { ...CLOSED, state: 'half_open', probeRelay: 'me', probeLeftMs: 30_000 }

function stateWith(row?: BreakerRow) {
  const clock = { now: 0 }
  const shared = new SharedState('me', () => clock.now)
  if (row) shared.apply(row, shared.generation)
  return { shared, clock }
}

test('a row that was read before it contained a change does not undo the change', async () => {
  const { shared } = stateWith(HALF_OPEN)
  const committed = Promise.withResolvers<boolean>()
  const closing = shared.close(() => committed.promise)
  const readSince = shared.generation // a read begins, and does not see the change yet
  committed.resolve(true)
  expect(await closing).toBe(true)
  shared.apply(HALF_OPEN, readSince)
  expect(shared).toMatchObject({ state: 'closed', mustReadAgain: true })
  expect(shared.eligibility()).toBe('all')
  shared.apply(CLOSED, shared.generation)
  expect(shared).toMatchObject({ state: 'closed', mustReadAgain: false })
})

test.each([
  ['closed', CLOSED, 'all', undefined],
  ['open and not due', OPEN, 'none', 1_000],
  ['open and due', { ...OPEN, retryInMs: -1 }, 'probe', undefined],
  ['paused for a refused credential', { ...OPEN, state: 'paused' }, 'none', 1_000],
  ['paused by an operator', { ...CLOSED, state: 'paused' }, 'none', undefined],
  ['rejecting', { ...CLOSED, state: 'rejecting' }, 'none', undefined],
  ['half-open, the probe is mine', HALF_OPEN, 'probe', undefined],
  ['half-open, another relay has the probe', { ...HALF_OPEN, probeRelay: 'other' }, 'none', 30_000],
  ['half-open, its lease is over', { ...HALF_OPEN, probeRelay: 'other', probeLeftMs: 0 }, 'probe', undefined],
  ['closed, and rate limited', { ...CLOSED, rateLimitedForMs: 500 }, 'none', 500],
] as const)('%s: what may start, and when', (_, row, eligibility, waitMs) => {
  const { shared } = stateWith(row)
  expect(shared.eligibility()).toBe(eligibility)
  expect(shared.waitMs).toBe(waitMs)
})

test.each([
  ['open', { ...OPEN, retryInMs: 0 }],
  ['half_open', { ...HALF_OPEN, probeRelay: 'other', probeLeftMs: 0 }],
] as const)(
  'after a denied probe of an %s breaker the relay tries again after 500 ms, or when the row says so',
  (_, row) => {
    const { shared, clock } = stateWith(row)
    const readBefore = shared.generation
    shared.probeDenied()
    expect(shared).toMatchObject({ state: row.state, mustReadAgain: true, waitMs: 50 })
    expect(shared.eligibility()).toBe('none')
    shared.apply(row, readBefore) // read before the other relay had the probe
    expect(shared.eligibility()).toBe('none')
    clock.now = 500
    expect(shared.eligibility()).toBe('probe')
  },
)

test('a probe that is denied after an operator has paused the destination leaves it paused', () => {
  const { shared, clock } = stateWith({ ...CLOSED, state: 'paused' })
  shared.probeDenied()
  clock.now = 10_000
  expect(shared).toMatchObject({ state: 'paused', needsOperator: true })
  expect(shared.eligibility()).toBe('none')
})

test('a close that finds another relay’s change in the row leaves the state as it is', async () => {
  const { shared } = stateWith(HALF_OPEN)
  expect(await shared.close(async () => false)).toBe(false)
  expect(shared).toMatchObject({ state: 'half_open', holdsProbe: true })
})

test('a rate limit does not change the state, and of two rate limits the longer one counts', async () => {
  const { shared, clock } = stateWith()
  await shared.rateLimit(1_000, async () => {})
  await shared.rateLimit(100, async () => {})
  expect(shared.state).toBe('closed')
  clock.now = 999
  expect(shared.eligibility()).toBe('none')
  clock.now = 1_000
  expect(shared.eligibility()).toBe('all')
})
