import { afterEach, beforeEach, expect, test } from 'vitest'
import type { FakeOperation } from '../../src/testing/index.ts'
import { publishedLimits } from '../../src/testing/fake/model/published-limits.ts'
import { accountFor, breakerState, findings, transitions } from '../faults/support/account.ts'
import { eventually } from '../support/eventually.ts'
import { everyApi, type Harness, startHarness, stepOf, track } from '../support/relay-harness.ts'

/*
 * Lanes that wait for one rate limit share a request. Here the limit is so low that the first lane sends alone and all
 * others wait for the second request.
 * Each of these changes makes a test fail:
 * - The index of a refused operation counts from the start of the request, not of its lane's batch.
 * - A 400 is divided among the lanes like a 207.
 * - All batches that wait share one request of any size.
 * - Each lane sends a request of its own.
 */

let h: Harness
beforeEach(async () => {
  h = await startHarness({ sequenceOf: stepOf })
})
afterEach(() => h.close())

const SLOW = { requestsPerSecond: { track: 5 } }

/** Enqueues one intent for one person of each of `count` lanes, in one transaction. */
async function enqueueToLanes(count: number, n = 1): Promise<{ ids: string[]; people: string[] }> {
  const rows = await h.db.rows<{ id: string }>(
    `SELECT min('p' || n) AS id FROM generate_series(1, 400) n
     GROUP BY outbox.lane_of('default/track', 'p' || n, 'normal') ORDER BY 1 LIMIT $1`,
    [count],
  )
  const people = rows.map(({ id }) => id)
  return { people, ids: await h.enqueue(...people.map((person) => track(person, n))) }
}

const relay = () => h.relay({ customerio: { ...everyApi(h.fake), ...SLOW } })
const sizes = () => h.fake.requests.recent.map(({ operations }) => operations)

test('batches of several lanes wait for the limit together, and are sent in one request', async () => {
  const { ids } = await enqueueToLanes(12)
  await relay()
  await h.drained()
  expect(sizes().reduce((sum, size) => sum + size, 0)).toBe(12)
  expect(sizes().length).toBeLessThanOrEqual(3)
  expect(await accountFor(h, ids)).toEqual({ delivered: 12, dead: 0, pending: 0, attempts: 0 })
  expect(await findings(h, ids)).toEqual([])
})

test('a refused operation of a shared request becomes a dead letter of its own lane, with its own message', async () => {
  const { ids, people } = await enqueueToLanes(12)
  const refused = new Set(people.filter((_, n) => n % 4 === 1))
  h.fake.misbehave({
    kind: 'refuse',
    operation: (op) => refused.has(personOf(op)) && { field: 'name', message: `not for ${personOf(op)}` },
  })
  await relay()
  await h.drained()
  expect(Math.max(...sizes())).toBeGreaterThan(3)
  expect(await accountFor(h, ids)).toMatchObject({ delivered: 9, dead: 3 })
  const dead = await h.db.rows<{ key: string; message: string }>(
    'SELECT ordering_key AS key, message FROM outbox.dead_letters',
  )
  expect(new Map(dead.map(({ key, message }) => [key, message]))).toEqual(
    new Map([...refused].map((person) => [person, `invalid: not for ${person}`])),
  )
})

test('after a 400 to a shared request each lane sends alone, and only the culprit becomes a dead letter', async () => {
  const { ids, people } = await enqueueToLanes(6)
  const [, , culprit = ''] = people
  h.fake.misbehave({ kind: 'badRequest', operation: (op) => personOf(op) === culprit })
  await relay()
  await h.drained()
  expect(await accountFor(h, ids)).toMatchObject({ delivered: 5, dead: 1 })
  const dead = await h.db.rows('SELECT ordering_key AS key, reason, status FROM outbox.dead_letters')
  expect(dead).toEqual([{ key: culprit, reason: 'rejected', status: 400 }])
  expect(await transitions(h)).toEqual([])
})

test('an intent that always makes the service fail is found in a shared request too, and opens no breaker', async () => {
  const { ids, people } = await enqueueToLanes(6)
  const [, , culprit = ''] = people
  h.fake.misbehave({ kind: 'failOn', operation: (op) => personOf(op) === culprit })
  await h.relay({
    customerio: { ...everyApi(h.fake), ...SLOW },
    intentRetry: { attempts: 2, initialDelayMs: 50, maxDelayMs: 50 },
  })
  await eventually('the others to be delivered', () => h.fake.counts.applied === 5)
  // Further intents give the relay requests to compare the culprit with.
  const more: string[] = []
  await eventually('the culprit’s dead letter', async () => {
    more.push(...(await h.enqueue(track('another person', more.length))))
    return (await h.db.rows('SELECT 1 FROM outbox.dead_letters')).length === 1
  })
  await h.drained()
  const dead = await h.db.rows('SELECT ordering_key AS key, reason FROM outbox.dead_letters')
  expect(dead).toEqual([{ key: culprit, reason: 'exhausted' }])
  expect(await accountFor(h, [...ids, ...more])).toMatchObject({ delivered: 5 + more.length, dead: 1 })
  expect(await transitions(h)).toEqual([])
})

test.each(['apply', 'before'] as const)(
  'the answer to a shared request is lost (%s): each lane sends its batch again, with the same ids and bodies',
  async (after) => {
    const { ids } = await enqueueToLanes(8)
    h.fake.misbehave({ kind: 'reset', after, times: 1, match: ({ operations }) => operations.length > 1 })
    await relay()
    await h.drained()
    expect(await accountFor(h, ids)).toEqual({ delivered: 8, dead: 0, pending: 0, attempts: 0 })
    expect(await findings(h, ids)).toEqual([])
    expect(h.fake.duplicates.every(({ sameBody }) => sameBody)).toBe(true)
    expect(h.fake.counts.duplicates > 0).toBe(after === 'apply')
  },
)

test('in an outage shared requests charge no intent, and the breaker opens after its limit of failures', async () => {
  const end = h.fake.misbehave({ kind: 'outage' })
  const { ids } = await enqueueToLanes(16)
  await relay()
  await eventually('the breaker to open', async () => (await breakerState(h))?.state === 'open')
  expect(h.fake.requests.total).toBeLessThanOrEqual(16)
  expect(await accountFor(h, ids)).toEqual({ delivered: 0, dead: 0, pending: 16, attempts: 0 })
  end()
  await h.drained()
  expect(await findings(h, ids)).toEqual([])
})

test.each([
  ['401', { kind: 'unauthorized' }],
  ['429', { kind: 'rateLimit', retryAfter: 1 }],
] as const)('one %s to a shared request pauses no destination', async (_, misbehaviour) => {
  h.fake.misbehave({ ...misbehaviour, times: 1, match: ({ operations }) => operations.length > 1 })
  const { ids } = await enqueueToLanes(10)
  await relay()
  await eventually('the answer', () => h.fake.requests.recent.some(({ misbehaviour: m }) => m !== undefined))
  await h.drained()
  expect(await accountFor(h, ids)).toEqual({ delivered: 10, dead: 0, pending: 0, attempts: 0 })
  expect(h.fake.counts.duplicates).toBe(0)
  expect(await transitions(h)).toEqual([])
})

test('a shared request stays within Customer.io’s limit of bytes, and a large batch is sent alone', async () => {
  const text = 'é'.repeat(10_000)
  const { people, ids: small } = await enqueueToLanes(16, 0)
  const large = people.flatMap((person) =>
    [1, 2, 3].map((n) => ({
      operation: 'track' as const,
      customerId: person,
      name: 'step',
      data: { n, text },
    })),
  )
  const ids = await h.enqueue(...large)
  await relay()
  await h.drained(30_000)
  expect(Math.max(...h.fake.requests.recent.map(({ bytes }) => bytes))).toBeLessThan(
    publishedLimits.batchBytes,
  )
  expect(h.fake.requests.byStatus).toEqual({ 200: h.fake.requests.total })
  expect(await findings(h, [...small, ...ids])).toEqual([])
})

function personOf({ identifiers }: FakeOperation): string {
  return String(identifiers?.id)
}
