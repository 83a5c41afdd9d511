import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Intent } from '../../src/index.ts'
import { eventually } from '../support/eventually.ts'
import { email, everyApi, type Harness, startHarness } from '../support/relay-harness.ts'

let h: Harness
beforeEach(async () => {
  h = await startHarness()
})
afterEach(() => h.close())

const broadcast = (broadcastId: number, n = 0): Intent => ({
  operation: 'triggerBroadcast',
  broadcastId,
  data: { n },
  recipients: { emails: ['a@example.com'], email_ignore_missing: true },
})
const at = (requestsPerSecond: number) => ({
  workspaces: { default: { ...everyApi(h.fake), requestsPerSecond: { broadcast: requestsPerSecond } } },
})
const dead = () => h.db.rows('SELECT reason, status, field FROM outbox.dead_letters')

test('a broadcast is triggered once, with its data and recipients', async () => {
  await h.enqueue(broadcast(12, 3))
  await h.relay()
  await h.drained()
  expect(h.fake.broadcasts).toMatchObject([
    {
      broadcastId: 12,
      audience: 'emails',
      body: { data: { n: 3 }, emails: ['a@example.com'], email_ignore_missing: true },
    },
  ])
  expect(h.fake.requests.total).toBe(1)
  expect(await h.db.rows('SELECT destination, outcome FROM outbox.delivered')).toEqual([
    { destination: 'default/broadcast', outcome: 'delivered' },
  ])
})

test.each([
  ['park', 1],
  ['resend', 2],
] as const)(
  'the connection is reset after the broadcast was accepted: with %s it is triggered %i times',
  async (onAmbiguous, times) => {
    h.fake.misbehave({ kind: 'reset', after: 'apply', times: 1 })
    await h.enqueueWith({ onAmbiguous }, broadcast(1))
    await h.relay(at(100))
    await h.drained()
    expect(h.fake.broadcasts).toHaveLength(times)
    expect(await dead()).toMatchObject(onAmbiguous === 'park' ? [{ reason: 'ambiguous' }] : [])
  },
)

test('a rejected broadcast becomes a dead letter with its status', async () => {
  h.fake.misbehave({ kind: 'badRequest', operation: () => true })
  await h.enqueue(broadcast(1))
  await h.relay()
  await h.drained()
  expect(await dead()).toMatchObject([{ reason: 'rejected', status: 400 }])
})

test('by default one broadcast is sent in ten seconds, and broadcasts that wait do not delay an email', async () => {
  await h.enqueue(...Array.from({ length: 60 }, (_, n) => broadcast(n + 1)))
  await h.relay({ workers: 1 })
  await h.fake.until(({ counts }) => counts.broadcasts === 1)
  for (let n = 1; n <= 5; n++) {
    await h.enqueue(email('u1', n))
    await h.fake.until(({ counts }) => counts.sends === n, { timeoutMs: 1_000 })
  }
  expect(h.fake.counts.broadcasts).toBe(1)
  expect(
    (await h.db.rows("SELECT pending FROM outbox.backlog WHERE destination = 'default/broadcast'"))[0],
  ).toEqual({
    pending: '59',
  })
  const marked = await h.db.rows(
    "SELECT 1 FROM outbox.intents WHERE destination = 'default/broadcast' AND sending_at IS NOT NULL",
  )
  expect(marked).toEqual([])
})

test('two relays share the limit: Customer.io never answers 429', async () => {
  h.fake.limits = { broadcastEverySeconds: 0.5 }
  await Promise.all([h.relay(at(1.5)), h.relay(at(1.5))])
  await h.enqueue(...Array.from({ length: 6 }, (_, n) => broadcast(n + 1)))
  await h.drained()
  expect(h.fake.counts.broadcasts).toBe(6)
  expect(h.fake.requests.byStatus[429]).toBeUndefined()
})

test('a lane whose intents are deleted while it waits for the limit keeps no relay busy', async () => {
  await h.enqueue(...Array.from({ length: 20 }, (_, n) => broadcast(n + 1)))
  await h.relay(at(2))
  await h.fake.until(({ counts }) => counts.broadcasts >= 2)
  await h.db.rows('DELETE FROM outbox.intents')
  let polls = 0 // the queries of this test itself
  const seen = async () => {
    polls++
    const [row] = await h.db.rows<{ at: Date }>('SELECT last_seen_at AS at FROM outbox.relay_fleet')
    return row?.at.getTime() ?? 0
  }
  const transactions = async () => {
    const [row] = await h.db.rows<{ n: number }>(
      'SELECT xact_commit::int AS n FROM pg_stat_database WHERE datname = current_database()',
    )
    return row?.n ?? 0
  }
  const heartbeat = async () => {
    const last = await seen()
    await eventually('a heartbeat', async () => (await seen()) !== last)
  }
  await heartbeat() // every wait for the limit has ended by then
  const before = await transactions()
  polls = 0
  const beganAt = performance.now()
  await heartbeat() // it comes every three seconds
  const seconds = (performance.now() - beganAt) / 1_000
  expect((await transactions()) - before).toBeLessThan(polls + seconds * 60)
})
