import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Intent } from '../../src/index.ts'
import type { FakeSend } from '../../src/testing/index.ts'
import { eventually } from '../support/eventually.ts'
import { email, type Harness, peopleOfOneLane, startHarness } from '../support/relay-harness.ts'

let h: Harness
beforeEach(async () => {
  h = await startHarness()
})
afterEach(() => h.close())

const stepsOf = (person: string) =>
  h.fake.sends
    .filter(({ identifiers }) => identifiers.id === person)
    .map(({ body }) => (body.message_data as { n: number }).n)

/** Returns when the messages of each person arrived, in order. */
function arrivals(sends: readonly FakeSend[]): Map<string, number[]> {
  const byPerson = Map.groupBy(sends, ({ personKey }) => personKey)
  return new Map([...byPerson].map(([person, some]) => [person, some.map(({ receivedAt }) => receivedAt)]))
}

test('every kind of message arrives once, with the body that was enqueued, and its delivery id is kept', async () => {
  const identifiers = { id: 'u1' }
  const common = { identifiers, transactional_message_id: 7, message_data: { code: 'ß 1', list: [1] } }
  const intents: Intent[] = [
    {
      operation: 'sendEmail',
      message: {
        to: 'Ada <ada@example.com>',
        ...common,
        subject: 'Reset',
        attachments: { 'a.txt': Buffer.from('hello').toString('base64') },
      },
    },
    { operation: 'sendPush', message: { ...common, title: 'T', message: 'M', to: 'last_used' } },
    { operation: 'sendSMS', message: { ...common, to: '+15550100' } },
    { operation: 'sendInboxMessage', message: common },
    { operation: 'sendInApp', message: common },
  ]
  const ids = await h.enqueue(...intents)
  await h.relay()
  await h.drained()
  expect(h.fake.sends.map(({ kind }) => kind)).toEqual(['email', 'push', 'sms', 'inbox_message', 'in_app'])
  for (const [index, { message }] of intents.entries() as IterableIterator<[number, { message: object }]>) {
    expect(h.fake.sends[index]?.body).toMatchObject(message)
  }
  expect(h.fake.requests.total).toBe(5)
  const delivered = await h.db.rows<{ id: string; delivery_id: string; outcome: string }>(
    'SELECT id, delivery_id, outcome FROM outbox.delivered ORDER BY seq',
  )
  expect(delivered).toEqual(
    ids.map((id, n) => ({ id, delivery_id: h.fake.sends[n]?.deliveryId, outcome: 'delivered' })),
  )
})

test('people of one lane get their messages concurrently, one message per person at a time', async () => {
  const people = await peopleOfOneLane(h.db, 'default/app', 8)
  h.fake.latencyMs = 200
  await h.enqueue(...[1, 2, 3].flatMap((n) => people.map((person) => email(person, n))))
  await h.relay()
  await h.drained()
  expect(h.fake.counts.sends).toBe(24)
  const times = [...arrivals(h.fake.sends).values()]
  const firsts = times.map(([first]) => first ?? 0)
  expect(Math.max(...firsts) - Math.min(...firsts)).toBeLessThan(200) // all eight requests were in flight at once
  for (const [first = 0, second = 0, third = 0] of times) {
    expect(second - first).toBeGreaterThanOrEqual(199)
    expect(third - second).toBeGreaterThanOrEqual(199)
  }
  for (const person of people) expect(stepsOf(person)).toEqual([1, 2, 3])
})

test('one person with a long queue does not delay other people of the lane', async () => {
  const [busy = '', ...others] = await peopleOfOneLane(h.db, 'default/app', 5)
  await h.enqueue(...Array.from({ length: 300 }, (_, n) => email(busy, n)))
  await h.enqueue(...others.map((person) => email(person, 1)))
  await h.relay({ workspaces: { default: fast() } })
  await h.drained()
  expect(stepsOf(busy)).toEqual(Array.from({ length: 300 }, (_, n) => n))
  const last = h.fake.sends.findLastIndex(({ identifiers }) => identifiers.id !== busy)
  expect(last).toBeLessThan(250)
})

test('four relays and six writers at the same time: each message is sent once, in order per person', async () => {
  await Promise.all([1, 2, 3, 4].map(() => h.relay({ workspaces: { default: fast() } })))
  await Promise.all(
    Array.from({ length: 6 }, async (_, writer) => {
      for (let n = 0; n < 40; n++) await h.enqueue(email(`w${writer}a`, n), email(`w${writer}b`, n))
    }),
  )
  await h.drained()
  expect(h.fake.counts.sends).toBe(480)
  for (let writer = 0; writer < 6; writer++) {
    expect(stepsOf(`w${writer}a`)).toEqual(Array.from({ length: 40 }, (_, n) => n))
  }
})

test('a refused message becomes a dead letter with reason and status; the next message is sent', async () => {
  h.fake.misbehave({
    kind: 'badRequest',
    operation: ({ body }) => (body as { to: string }).to.startsWith('u1'),
  })
  await h.enqueue(email('u1', 1), email('u2', 1))
  await h.relay()
  await h.drained()
  expect(h.fake.sends.map(({ to }) => to)).toEqual(['u2@example.com'])
  expect(await h.db.rows('SELECT reason, status, requested_at FROM outbox.dead_letters')).toEqual([
    { reason: 'rejected', status: 400, requested_at: null },
  ])
})

test('a 429 parks nothing: the destination waits, and each message is sent once', async () => {
  h.fake.misbehave({ kind: 'rateLimit', retryAfter: 1, times: 2 })
  await h.enqueue(...Array.from({ length: 12 }, (_, n) => email(`u${n}`, 1)))
  await h.relay()
  await h.drained()
  expect(h.fake.counts.sends).toBe(12)
  expect(await h.db.rows('SELECT 1 FROM outbox.dead_letters')).toEqual([])
})

test('a slow Track API with a long backlog delays no message', async () => {
  await h.relay({ workers: 2, requestTimeoutMs: 10_000 })
  h.fake.misbehave({ kind: 'latency', ms: 4_000, match: ({ api }) => api === 'track' })
  await h.enqueue(
    ...Array.from(
      { length: 200 },
      (_, n): Intent => ({ operation: 'track', customerId: `u${n}`, name: 'x' }),
    ),
  )
  await eventually('both lanes to be worked', () => h.fake.counts.applied >= 2 && h.fake.requests.total >= 2)
  await h.enqueue(email('u1', 1))
  await h.fake.until(({ counts }) => counts.sends === 1, { timeoutMs: 2_000 })
  h.fake.behave()
})

function fast() {
  return { appApiKey: 'app-key', appUrl: h.fake.url, requestsPerSecond: { app: 100_000 } }
}
