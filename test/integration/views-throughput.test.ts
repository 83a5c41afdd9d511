import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type Database, openDatabase } from '../../src/store/connection/database.ts'
import { settle } from '../../src/store/lanes/settle.ts'
import { claimLane } from '../../src/store/lanes/claim-lane.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'

let db: TestDatabase
let relay: Database
beforeAll(async () => {
  db = await createTestDatabase()
  relay = openDatabase({ connectionString: db.url })
})
afterAll(async () => {
  await relay.close()
  await db.drop()
})
beforeEach(() => db.rows('TRUNCATE outbox.intents, outbox.lanes, outbox.delivered, outbox.settled_counts'))

/** Settles one intent per latency: the first `dead` intents as dead letters, the others as delivered. */
async function settleLatencies(
  destination: string,
  lane: number,
  latenciesMs: number[],
  dead = 0,
): Promise<void> {
  const rows = await db.rows<{ seq: string; id: string }>(
    `INSERT INTO outbox.intents (destination, lane, id, operation, payload, ordering_key, enqueued_at)
     SELECT $1, $2, gen_random_uuid(), 'identify', '{}', 'k', clock_timestamp() - make_interval(secs => ms / 1000)
     FROM unnest($3::float8[]) ms RETURNING seq, id`,
    [destination, lane, latenciesMs],
  )
  const fence = await claimLane(relay, { destination, lane }, randomUUID())
  await settle(relay, fence, {
    delivered: rows.slice(dead),
    dead: rows.slice(0, dead).map((row) => ({ ...row, reason: 'rejected' })),
  })
}

/** The figures of the view beside the true figures, which are computed from the delivered rows. */
const THROUGHPUT = `
  SELECT t.destination, t.delivered::int, t.dead_lettered::int, t.p50_ms::float8, t.p99_ms::float8, d.*
  FROM outbox.throughput t LEFT JOIN LATERAL (
    SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY ms) AS p50, percentile_disc(0.99) WITHIN GROUP (ORDER BY ms) AS p99
    FROM (SELECT extract(epoch FROM delivered_at - enqueued_at)::float8 * 1000 AS ms FROM outbox.delivered d
          WHERE d.destination = t.destination AND date_trunc('minute', delivered_at) = t.minute) latencies) d ON true
  ORDER BY t.destination, t.minute`

type Throughput = {
  destination: string
  delivered: number
  dead_lettered: number
  p50_ms: number
  p99_ms: number
  p50: number
  p99: number
}
const throughput = () => db.rows<Throughput>(THROUGHPUT)

/** `count` latencies from `from` to `to` milliseconds, evenly spaced on a logarithmic scale. */
const spread = (from: number, to: number, count: number) =>
  Array.from({ length: count }, (_, i) => from * (to / from) ** (i / (count - 1)))

test.each([
  ['tens of milliseconds', spread(10, 100, 500)],
  ['milliseconds to minutes', spread(5, 300_000, 2000)],
  ['hours', spread(3_600_000, 90_000_000, 300)],
  ['all the same', Array<number>(300).fill(1234)],
  ['one', [777]],
])('percentiles are within 10 % of the true ones: %s', async (_name, latencies) => {
  await settleLatencies('default/track', 0, latencies)
  const rows = await throughput()
  expect(rows.reduce((sum, { delivered }) => sum + delivered, 0)).toBe(latencies.length)
  for (const { p50, p99, p50_ms, p99_ms } of rows) {
    expect(Math.abs(p50_ms - p50) / p50, `${p50_ms} for ${p50}`).toBeLessThan(0.1)
    expect(Math.abs(p99_ms - p99) / p99, `${p99_ms} for ${p99}`).toBeLessThan(0.1)
  }
})

test('percentiles are within 10 % of the true ones: single latencies of a few milliseconds', async () => {
  for (let n = 0; n < 100; n++) await settleLatencies(`d${n}/track`, 0, [1 + n / 10])
  const rows = await throughput()
  expect(rows).toHaveLength(100)
  for (const { p50, p50_ms } of rows) {
    expect(Math.abs(p50_ms - p50) / p50, `${p50_ms} for ${p50}`).toBeLessThan(0.1)
  }
})

test('the lanes of a destination share a row per minute, destinations do not, and dead letters have no latency', async () => {
  await settleLatencies('a/track', 0, Array<number>(10).fill(1_000))
  await settleLatencies(
    'a/track',
    1,
    [...Array<number>(5).fill(9_000_000), ...Array<number>(90).fill(1_000)],
    5,
  )
  await settleLatencies('b/track', 0, Array<number>(3).fill(500), 3)
  const rows = await throughput()
  const sum = (destination: string, of: 'delivered' | 'dead_lettered') =>
    rows.filter((row) => row.destination === destination).reduce((total, row) => total + row[of], 0)
  expect([sum('a/track', 'delivered'), sum('a/track', 'dead_lettered')]).toEqual([100, 5])
  expect([sum('b/track', 'delivered'), sum('b/track', 'dead_lettered')]).toEqual([0, 3])
  for (const row of rows) {
    const isDead = row.destination === 'b/track'
    expect([row.p50_ms === null, row.p99_ms === null]).toEqual([isDead, isDead])
    if (!isDead) expect(row.p99_ms).toBeLessThan(1_500)
  }
})

test('outbox.throughput shows only the last hour', async () => {
  await settleLatencies('default/track', 0, [100])
  await db.rows("UPDATE outbox.settled_counts SET minute = minute - interval '58 minutes'")
  expect(await throughput()).toHaveLength(1)
  await db.rows("UPDATE outbox.settled_counts SET minute = minute - interval '3 minutes'")
  expect(await throughput()).toEqual([])
})
