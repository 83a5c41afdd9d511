import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Intent } from '../../src/index.ts'
import { eventually } from '../support/eventually.ts'
import { everyApi, type Harness, startHarness, stepOf, track } from '../support/relay-harness.ts'

let h: Harness
beforeEach(async () => {
  h = await startHarness({ keepOperations: false, keepRequests: 10_000, sequenceOf: stepOf })
})
afterEach(() => h.close())

async function enqueueBackfill(total: number): Promise<void> {
  for (let from = 0; from < total; from += 10_000) {
    const some = Array.from(
      { length: Math.min(10_000, total - from) },
      (_, n): Intent => ({ operation: 'identify', customerId: `b${from + n}`, attributes: { plan: 'pro' } }),
    )
    await h.enqueueWith({ priority: 'bulk' }, ...some)
  }
}
const bulkLeft = async () =>
  (await h.db.rows<{ n: number }>("SELECT count(*)::int AS n FROM outbox.intents WHERE priority = 'bulk'"))[0]
    ?.n ?? 0

/**
 * Enqueues `count` live events one after the other. Counts the requests that arrive from the commit of an event to its own
 * arrival, the event's request included. It counts requests because milliseconds depend on the machine.
 *
 * @returns the highest count.
 */
async function mostWaited(name: string, count: number): Promise<number> {
  const waits: number[] = []
  for (let n = 0; n < count; n++) {
    const id = `${name}${n}`
    await h.enqueue(track(id, n))
    const before = h.fake.requests.total
    await h.fake.until((fake) => fake.person({ id }) !== undefined)
    waits.push(h.fake.requests.total - before)
  }
  return Math.max(...waits)
}

test('during a backfill of 50,000 intents a live event waits only for requests that bulk workers have already begun', async () => {
  h.fake.latencyMs = 20
  await h.relayProcess({ batchSize: 100 })
  await mostWaited('warm', 10)
  await enqueueBackfill(50_000)
  await h.fake.until(({ counts }) => counts.applied > 500)
  const beside = await mostWaited('beside', 50)
  const left = await bulkLeft()
  expect(left).toBeGreaterThan(5_000)
  // Each of four bulk workers has a request in flight and a next one. Behind a backfill of normal priority an event would wait
  // for hundreds of requests.
  expect(beside).toBeLessThanOrEqual(8)
  await h.drained(60_000)
  expect(h.fake.counts).toMatchObject({ applied: 50_060, duplicates: 0, outOfOrder: 0 })
})

test('with one worker live events overtake a backfill that came first', async () => {
  h.fake.latencyMs = 20
  await enqueueBackfill(5_000)
  await h.enqueue(...Array.from({ length: 200 }, (_, n) => track(`u${n}`, n)))
  await h.relay({ workers: 1, batchSize: 20 })
  await eventually('every live event', async () => {
    const rows = await h.db.rows("SELECT 1 FROM outbox.intents WHERE priority = 'normal' LIMIT 1")
    return rows.length === 0
  })
  expect(await bulkLeft()).toBeGreaterThan(2_500)
})

test('bulk lanes get a quarter as many workers as live lanes', async () => {
  h.fake.latencyMs = 400
  await enqueueBackfill(3_000)
  await h.relay({
    workers: 8,
    batchSize: 10,
    workspaces: { default: { ...everyApi(h.fake), requestsPerSecond: { track: 1_000 } } },
  })
  const arrivals = () => h.fake.requests.recent.map(({ receivedAt }) => receivedAt)
  await h.fake.until(({ requests }) => requests.total >= 8)
  const times = arrivals()
  const together = times.map((at) => times.filter((time) => time >= at && time < at + 395).length)
  expect(Math.max(...together)).toBe(2)
  h.fake.latencyMs = 0
})

test('a backfill leaves half of the rate limit to live events', async () => {
  await enqueueBackfill(20_000)
  await h.relay({
    batchSize: 100,
    workspaces: { default: { ...everyApi(h.fake), requestsPerSecond: { track: 20 } } },
  })
  await h.fake.until(({ requests }) => requests.total >= 25, { timeoutMs: 20_000 })
  const times = h.fake.requests.recent.map(({ receivedAt }) => receivedAt)
  const most = Math.max(...times.map((at) => times.filter((time) => time >= at && time < at + 1_000).length))
  expect(most).toBeLessThanOrEqual(10 + 1)
  expect(await mostWaited('live', 10)).toBeLessThanOrEqual(8)
  expect(await bulkLeft()).toBeGreaterThan(0)
})
