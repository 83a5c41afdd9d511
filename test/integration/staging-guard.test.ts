import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Intent } from '../../src/index.ts'
import { email, everyApi, type Harness, startHarness, track } from '../support/relay-harness.ts'

let h: Harness
beforeEach(async () => {
  h = await startHarness()
})
afterEach(() => h.close())

/** Starts a relay that may send one request a second to each API. Suppressed intents must use none of these requests. */
const relay = (...allowRecipients: string[]) =>
  h.relay({
    workspaces: {
      default: { ...everyApi(h.fake), allowRecipients, requestsPerSecond: { app: 1, track: 1 } },
    },
  })
const outcomes = async () => {
  const rows = await h.db.rows<{ id: string; outcome: string }>('SELECT id, outcome FROM outbox.delivered')
  return new Map(rows.map(({ id, outcome }) => [id, outcome]))
}

test('only allowed intents are sent; all others are settled as suppressed by config', async () => {
  const to = (address: string): Intent => ({
    operation: 'sendEmail',
    message: { to: address, identifiers: { id: 'u1' }, transactional_message_id: 1 },
  })
  const allowed = [
    to('qa@example.com'),
    to('QA <Qa@Example.COM>, b@example.com'),
    track('test-1', 1),
    { operation: 'pipelines.track', message: { userId: 'test-2', event: 'x' } } as const,
    { operation: 'triggerBroadcast', broadcastId: 1, recipients: { emails: ['a@example.com'] } } as const,
  ]
  const others = [
    to('real@person.net'),
    to('qa@example.com, real@person.net'),
    track('u1', 1),
    { operation: 'pipelines.track', message: { userId: 'u2', event: 'x' } } as const,
    { operation: 'triggerBroadcast', broadcastId: 2 } as const,
    { operation: 'triggerBroadcast', broadcastId: 3, recipients: { ids: ['u1'] } } as const,
    { operation: 'destroy', customerId: 'u1' } as const,
  ]
  const ids = await h.enqueue(...others, ...allowed)
  const guarded = await relay('*@example.com', 'test-*')
  let suppressed = 0
  let delivered = 0
  guarded.on('settled', (settled) => {
    suppressed += settled.suppressed
    delivered += settled.delivered
  })
  await h.drained()
  expect(h.fake.sends.map(({ to }) => to).sort()).toEqual([
    'QA <Qa@Example.COM>, b@example.com',
    'qa@example.com',
  ])
  expect(h.fake.applied.map(({ personKey }) => personKey)).toEqual(['id:test-1'])
  expect(h.fake.pipelines.map(({ personKey }) => personKey)).toEqual(['userId:test-2'])
  expect(h.fake.broadcasts.map(({ broadcastId }) => broadcastId)).toEqual([1])
  expect(h.fake.requests.total).toBe(allowed.length)
  const found = await outcomes()
  for (const [index, id] of ids.entries()) {
    expect(found.get(id)).toBe(index < others.length ? 'suppressed_by_config' : 'delivered')
  }
  expect(await h.db.rows('SELECT 1 FROM outbox.dead_letters')).toEqual([])
  expect({ suppressed, delivered }).toEqual({ suppressed: others.length, delivered: allowed.length })
  const [counted] = await h.db.rows(
    'SELECT sum(delivered)::int AS delivered, sum(suppressed)::int AS suppressed FROM outbox.throughput',
  )
  expect(counted).toEqual({ suppressed: others.length, delivered: allowed.length })
})

test('suppressed intents neither stop nor delay intents behind them', async () => {
  await h.enqueue(...Array.from({ length: 500 }, (_, n) => email(`u${n % 5}`, n)))
  await h.enqueue({
    operation: 'sendEmail',
    message: { to: 'qa@test.net', identifiers: { id: 'u1' }, transactional_message_id: 1 },
  })
  await relay('*@test.net')
  await h.drained(10_000)
  expect(h.fake.sends.map(({ to }) => to)).toEqual(['qa@test.net'])
})

test('suppressed intents of a batch are settled together with the allowed ones, which share one request', async () => {
  await h.enqueue(...Array.from({ length: 400 }, (_, n) => track(n % 2 === 0 ? 'test-1' : `u${n}`, n)))
  await relay('test-*')
  await h.drained(5_000)
  expect(h.fake.counts.applied).toBe(200)
  expect(h.fake.requests.total).toBeLessThanOrEqual(2)
})

test('suppressed intents cause no request to an API that is down', async () => {
  h.fake.misbehave({ kind: 'outage' })
  await h.enqueue(track('u1', 1), email('u1', 1))
  await relay('test-*')
  await h.drained()
  expect(h.fake.requests.total).toBe(0)
  expect(new Set((await outcomes()).values())).toEqual(new Set(['suppressed_by_config']))
})
