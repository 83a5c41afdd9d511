import { getEventListeners } from 'node:events'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type DrainOptions, drain } from '../../src/relay.ts'
import { eventually } from '../support/eventually.ts'
import {
  email,
  everyApi,
  type Harness,
  peopleOfOneLane,
  QUICK,
  startHarness,
  stepOf,
  track,
} from '../support/relay-harness.ts'

let h: Harness
beforeEach(async () => {
  h = await startHarness({ sequenceOf: stepOf })
})
afterEach(() => h.close())

/** On a busy machine an answer may take more than a second. A request that times out is sent again: a duplicate. */
const PATIENT = { ...QUICK, requestTimeoutMs: 10_000 }
const run = (options: Partial<DrainOptions> = {}) =>
  drain({ connectionString: h.db.url, customerio: everyApi(h.fake), ...PATIENT, ...options })
const queued = () => h.db.rows<{ id: string }>('SELECT id FROM outbox.intents ORDER BY seq')
const pause = (destination: string) => h.db.rows("SELECT outbox.pause($1, 'ticket 1234')", [destination])

/** What a drain must not leave behind: its row, held lanes, active jobs, connections. */
async function expectNothingLeftBehind() {
  expect(await h.db.rows('SELECT FROM outbox.relays')).toEqual([])
  expect(await h.db.rows('SELECT FROM outbox.lanes WHERE relay_id IS NOT NULL')).toEqual([])
  expect(await h.db.rows("SELECT FROM outbox_pgboss.job WHERE state = 'active'")).toEqual([])
  const connections = () =>
    h.db.rows(
      "SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'customerio-outbox%'",
    )
  await eventually('closed connections', async () => (await connections()).length === 0, 2_000)
}

test('an empty queue: the drain ends at once, and starts neither lane jobs nor requests', async () => {
  await h.enqueueWith({ sendAfter: new Date(Date.now() + 3_600_000) }, track('u1', 1))
  const result = await run({ checkRegion: true })
  expect(result).toEqual({
    outcome: 'empty',
    delivered: 0,
    deadLettered: 0,
    suppressed: 0,
    unserved: [],
    left: [],
    openActions: 0,
    milliseconds: expect.any(Number),
  })
  expect(result.milliseconds).toBeLessThan(2_000) // 40 to 90 ms on an idle machine
  expect(h.fake.counts.requests).toBe(0)
  expect(await h.db.rows('SELECT FROM outbox_pgboss.queue')).toEqual([])
  await expectNothingLeftBehind()
})

test('5,000 intents are delivered once and in order, and the drain ends early', async () => {
  const signal = new AbortController().signal
  await h.enqueue(...Array.from({ length: 5_000 }, (_, n) => track(`u${n % 100}`, n)))
  await h.enqueueWith({ sendAfter: new Date(Date.now() + 300) }, track('later', 1))
  await eventually('the scheduled intent to be due', async () => {
    const due = await h.db.rows('SELECT FROM outbox.intents WHERE lane = -1 AND send_after <= now()')
    return due.length > 0
  })
  const settled: number[] = []
  const listening: unknown[] = []
  const result = await run({
    signal,
    observe: (events) => {
      events.on('settled', ({ delivered }) => settled.push(delivered))
      events.on('listening', (event) => listening.push(event))
    },
  })
  expect(result).toMatchObject({ outcome: 'empty', delivered: 5_001, deadLettered: 0, left: [] })
  expect(result.milliseconds).toBeLessThan(20_000)
  expect(settled.reduce((sum, n) => sum + n)).toBe(5_001)
  expect(listening).toEqual([])
  expect(h.fake.counts).toMatchObject({ applied: 5_001, duplicates: 0, outOfOrder: 0 })
  expect(getEventListeners(signal, 'abort')).toEqual([])
  await expectNothingLeftBehind()
})

test('Customer.io is down: the drain ends stopped, names the destination, and loses nothing', async () => {
  // The first probe is due in time, and the drain does not wait for it.
  const breaker = { halfOpenAfterMs: 40_000, maxHalfOpenAfterMs: 80_000 }
  h.fake.misbehave({ kind: 'outage' })
  await h.enqueue(...Array.from({ length: 100 }, (_, n) => track(`u${n}`, n)))
  const before = await queued()
  const down = await run({ breaker, forMs: 60_000 })
  expect(down).toMatchObject({ outcome: 'stopped', delivered: 0, deadLettered: 0 })
  expect(down.left).toEqual([
    {
      destination: 'default/track',
      pending: 100,
      estimated: false,
      state: 'open',
      retryAt: expect.any(Date),
      lastError: '503: text/html, 120 bytes',
    },
  ])
  expect(Number(down.left[0]?.retryAt)).toBeGreaterThan(Date.now() + 20_000)
  expect(down.milliseconds).toBeLessThan(30_000)
  expect(await queued()).toEqual(before)
  await expectNothingLeftBehind()

  const { requests } = h.fake.counts
  expect(await run({ breaker, forMs: 60_000 })).toMatchObject({
    outcome: 'stopped',
    left: [{ state: 'open' }],
  })
  expect(h.fake.counts.requests).toBe(requests)

  h.fake.behave()
  await h.db.rows('UPDATE outbox.breakers SET retry_at = now()')
  expect(await run({ breaker })).toMatchObject({ outcome: 'empty', delivered: 100 })
  expect(h.fake.counts).toMatchObject({ applied: 100, outOfOrder: 0 })
})

test('a paused destination does not delay a live one, and the rest is told apart', async () => {
  await pause('default/app')
  await h.enqueue(...Array.from({ length: 50 }, (_, n) => track(`u${n}`, n)), email('u1', 1), email('u2', 2))
  expect(await run()).toMatchObject({
    outcome: 'stopped',
    delivered: 50,
    left: [
      {
        destination: 'default/app',
        pending: 2,
        state: 'paused',
        retryAt: null,
        lastError: 'paused by postgres: ticket 1234',
      },
    ],
  })
  expect(h.fake.counts).toMatchObject({ applied: 50, sends: 0 })
  await expectNothingLeftBehind()
})

test('the drain waits for a rate limit that ends in time, and ends for a longer one', async () => {
  h.fake.misbehave({ kind: 'rateLimit', retryAfter: 2, times: 1 })
  await h.enqueue(track('u1', 1))
  expect(await run({ forMs: 20_000 })).toMatchObject({ outcome: 'empty', delivered: 1 })
  h.fake.misbehave({ kind: 'rateLimit', retryAfter: 600, times: 1 })
  await h.enqueue(track('u1', 2))
  const limited = await run({ forMs: 20_000 })
  expect(limited).toMatchObject({
    outcome: 'stopped',
    left: [{ destination: 'default/track', pending: 1, state: 'rate_limited', retryAt: expect.any(Date) }],
  })
  expect(limited.milliseconds).toBeLessThan(15_000)
})

test('time is up: the request in flight is settled, and the rest waits in order for the next drain', async () => {
  const [person = ''] = await peopleOfOneLane(h.db, 'default/track', 1)
  h.fake.latencyMs = 400
  await h.enqueue(...Array.from({ length: 200 }, (_, n) => track(person, n)))
  const forMs = 3_000
  const first = await run({ batchSize: 10, forMs })
  expect(first).toMatchObject({ outcome: 'time_is_up', left: [{ state: 'closed', retryAt: null }] })
  expect(first.milliseconds).toBeGreaterThanOrEqual(forMs)
  expect(first.delivered).toBeGreaterThan(0)
  const [left] = first.left
  expect(first.delivered + (left?.pending ?? 0)).toBe(200)
  expect(await queued()).toHaveLength(left?.pending ?? -1)
  expect(h.fake.counts.applied).toBe(first.delivered)
  await expectNothingLeftBehind()

  h.fake.latencyMs = 0
  expect(await run()).toMatchObject({ outcome: 'empty', delivered: left?.pending })
  expect(h.fake.counts).toMatchObject({ applied: 200, duplicates: 0, outOfOrder: 0 })
})

test('aborted: the request in flight is settled; a signal that is aborted before starts nothing', async () => {
  const [person = ''] = await peopleOfOneLane(h.db, 'default/track', 1)
  h.fake.latencyMs = 300
  await h.enqueue(...Array.from({ length: 100 }, (_, n) => track(person, n)))
  const abort = new AbortController()
  const running = run({ batchSize: 10, signal: abort.signal })
  await h.fake.until(({ counts }) => counts.applied >= 10)
  abort.abort()
  const result = await running
  expect(result).toMatchObject({
    outcome: 'aborted',
    left: [{ destination: 'default/track', state: 'closed' }],
  })
  expect(h.fake.counts.applied).toBe(result.delivered)
  const { requests } = h.fake.counts
  expect(await run({ signal: abort.signal })).toMatchObject({ outcome: 'aborted', delivered: 0 })
  expect(h.fake.counts.requests).toBe(requests)
  await expectNothingLeftBehind()
})

test('dead letters and suppressed intents are counted, and a destination without credentials is named', async () => {
  const { siteId, trackApiKey, trackUrl } = everyApi(h.fake)
  h.fake.misbehave({ kind: 'refuse', operation: ({ identifiers }) => identifiers?.id === 'bad' })
  await h.enqueue(track('good', 1), track('bad', 1), track('other', 1), email('good', 1))
  const customerio = { siteId, trackApiKey, trackUrl, allowRecipients: ['good', 'bad'] }
  expect(await run({ customerio })).toMatchObject({
    outcome: 'empty',
    delivered: 1,
    deadLettered: 1,
    suppressed: 1,
    unserved: ['default/app'],
    left: [],
  })
})

test('more than 100,000 intents of a paused destination are estimated, not counted', async () => {
  await h.db.rows(
    `INSERT INTO outbox.intents (destination, lane, id, operation, payload, ordering_key, enqueued_at)
     SELECT 'default/app', n % 16, gen_random_uuid(), 'sendEmail', '{}', 'k', now() FROM generate_series(1, 120000) n`,
  )
  await h.enqueueWith({ sendAfter: new Date(Date.now() - 1_000) }, email('u1', 1))
  await pause('default/app')
  const { outcome, left } = await run()
  expect(outcome).toBe('stopped')
  expect(left).toMatchObject([{ destination: 'default/app', estimated: true, state: 'paused' }])
  expect(left[0]?.pending).toBeGreaterThan(110_000)
  expect(left[0]?.pending).toBeLessThan(130_000)
})
