import { afterEach, beforeEach, expect, test } from 'vitest'
import { createRelay, InvalidSettingError } from '../../src/relay.ts'
import { openDatabase } from '../../src/store/connection/database.ts'
import { findReadyLanes } from '../../src/store/lanes/find-ready-lanes.ts'
import { ZERO_WATERMARK, readLane } from '../../src/store/lanes/read-lane.ts'
import { createTestDatabase } from '../support/database.ts'
import { eventually } from '../support/eventually.ts'
import { type Harness, startHarness, stepOf, track } from '../support/relay-harness.ts'

let h: Harness
beforeEach(async () => {
  h = await startHarness({ sequenceOf: stepOf })
})
afterEach(() => h.close())

const held = () => h.db.rows('SELECT 1 FROM outbox.lanes WHERE relay_id IS NOT NULL')
const connections = () =>
  h.db.rows<{ n: number }>(
    "SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'customerio-outbox%'",
  )

test('stop finishes the request in flight, settles it, hands the lanes back and closes every connection', async () => {
  h.fake.latencyMs = 300
  await h.enqueue(...Array.from({ length: 30 }, (_, n) => track('u1', n)))
  const relay = await h.relay({ batchSize: 10 })
  await eventually('a request', () => h.fake.requests.total === 1)
  await relay.stop()
  expect(h.fake.requests.total).toBe(1)
  expect(await h.db.rows('SELECT 1 FROM outbox.delivered')).toHaveLength(10)
  expect(await held()).toEqual([])
  expect(await h.db.rows('SELECT 1 FROM outbox.relay_fleet')).toEqual([])
  await eventually('closed connections', async () => (await connections())[0]?.n === 0)
  // The lanes were handed back, so the next relay does not wait until a heartbeat is missed.
  h.fake.latencyMs = 0
  await h.relay()
  await h.drained(5_000)
  expect(h.fake.counts).toMatchObject({ applied: 30, duplicates: 0, outOfOrder: 0 })
})

test('a relay may be started twice, stopped twice, stopped while it starts, and stopped without a start', async () => {
  const options = {
    connectionString: h.db.url,
    customerio: { siteId: 'site', trackApiKey: 'key', trackUrl: h.fake.url },
  }
  const twice = createRelay(options)
  await Promise.all([twice.start(), twice.start()])
  await Promise.all([twice.stop(), twice.stop()])
  await twice.stop()

  const hasty = createRelay(options)
  const starting = hasty.start()
  await hasty.stop()
  await starting
  await createRelay(options).stop()
  await eventually('closed connections', async () => (await connections())[0]?.n === 0)
})

test('a schema that is missing, too old or too new: start fails with one line that says what to do', async () => {
  const options = (connectionString: string) => ({
    connectionString,
    customerio: { siteId: 's', trackApiKey: 'k' },
  })
  const empty = await createTestDatabase('empty')
  const missing = createRelay(options(empty.url))
  await expect(missing.start()).rejects.toThrow(
    'The schema "outbox" does not exist: run `customerio-outbox migrate`',
  )
  await missing.stop()
  await empty.drop()

  await h.db.rows('INSERT INTO outbox.migrations (version, hash) VALUES (999, $1)', ['from the future'])
  const old = createRelay(options(h.db.url))
  await expect(old.start()).rejects.toThrow(/is at version 999, this relay knows \d+: upgrade the relay/)
  await old.stop()
  await h.db.rows('DELETE FROM outbox.migrations WHERE version > 1')
  const young = createRelay(options(h.db.url))
  await expect(young.start()).rejects.toThrow(
    /is at version 1, this relay needs \d+: run `customerio-outbox migrate`/,
  )
  await young.stop()
})

test.each([
  ['workers', { workers: 0 }],
  ['requestTimeoutMs', { requestTimeoutMs: 10 }],
  ['breaker.failures', { breaker: { failures: 1.5 } }],
  ['retry.maxRetries', { retry: { maxRetries: 99 } }],
])('a setting out of bounds is refused, and the error names it: %s', (name, settings) => {
  const options = {
    connectionString: 'postgres://x',
    customerio: { siteId: 's', trackApiKey: 'k' },
    ...settings,
  }
  expect(() => createRelay(options)).toThrow(InvalidSettingError)
  expect(() => createRelay(options)).toThrow(name)
})

test('stop while Customer.io hangs: the request in flight ends, no retry begins', async () => {
  h.fake.misbehave({ kind: 'hang' })
  const relay = await h.relay({ requestTimeoutMs: 1_000, retry: { maxRetries: 5, initialDelayMs: 1 } })
  await h.enqueue(track('u1', 1))
  await eventually('a request', () => h.fake.requests.total === 1)
  await relay.stop()
  expect(h.fake.requests.total).toBe(1)
})

// The test fails if the heartbeats end before the dispatcher. Then the other relay takes the lane and sends the event again.
test('stop waits for a long request, and no other relay takes its lane meanwhile', async () => {
  const settings = { requestTimeoutMs: 60_000 }
  const first = await h.relay(settings)
  h.fake.misbehave({ kind: 'latency', ms: 16_000, times: 1 })
  await h.enqueue(track('u1', 1))
  await eventually('a request', () => h.fake.requests.total === 1)
  await h.relay(settings)
  await Promise.all([first.stop(), h.drained(20_000)])
  expect(h.fake.requests.total).toBe(1)
  expect(h.fake.counts).toMatchObject({ applied: 1, duplicates: 0 })
})

test('a read of large payloads is limited to about the bytes of one request, however many intents wait', async () => {
  const pad = 'x'.repeat(30_000)
  for (let n = 0; n < 4; n++) {
    await h.enqueue(
      ...Array.from({ length: 100 }, (_, i) => ({
        operation: 'track' as const,
        customerId: 'u1',
        name: 'big',
        data: { n: n * 100 + i, pad },
      })),
    )
  }
  const db = openDatabase({ connectionString: h.db.url })
  const [lane] = (await findReadyLanes(db, { served: ['default/track'], except: [] })).lanes
  const page = await readLane(db, lane ?? { destination: '', lane: 0 }, {
    from: ZERO_WATERMARK,
    except: [],
    exceptKeys: [],
    limit: 1_000,
    bytes: 600_000,
  })
  expect(page.complete).toBe(false)
  expect(page.rows.length).toBeGreaterThan(15)
  expect(page.rows.length).toBeLessThan(25)
  await db.close()
  await h.relay()
  await h.drained()
  expect(h.fake.counts).toMatchObject({ applied: 400, outOfOrder: 0 })
})
