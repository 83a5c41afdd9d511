/**
 * A test fails after each of these changes:
 * - first test: if a `Retry-After` date is compared with the host's clock, the relay whose clock is behind waits an hour,
 *   and nothing arrives in 8 s;
 * - first test: with the host's time instead of the database's, the relay whose clock is ahead sends scheduled intents at
 *   once, and the other relay sends expired ones;
 * - second test: without heartbeats of the lane jobs, lanes are taken from living relays again and again, and no relay
 *   holds a lane for 15 s.
 */
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { EnqueueOptions, Intent } from '../../src/index.ts'
import { eventually } from '../support/eventually.ts'
import { track } from '../support/relay-harness.ts'
import { runApp } from './support/processes/app-process.ts'
import { hostClock, hoursFromNow } from './support/processes/host-clock.ts'
import { lanesOf, watchLanes } from './support/lane-watch.ts'
import { type Stage, startStage } from './support/stage.ts'
import { TAKEOVER_MS } from './support/takeover.ts'

const AHEAD = hostClock(1)
const BEHIND = hostClock(-1)
const MINUTE_MS = 60_000

let s: Stage
beforeEach(async () => {
  s = await startStage({ keepRequests: 10_000 })
})
afterEach(() => s.close())

/** Enqueues each intent in its own transaction, from an app on a host with this clock. */
async function enqueueOn(clock: string[], ...work: { intent: Intent; options?: EnqueueOptions }[]) {
  const { said } = await runApp(
    s.db.url,
    work.map((each) => [each]),
    'exit',
    clock,
  )
  return said ?? { results: [], now: 0 }
}

test('28: with host clocks an hour ahead and behind, times, windows and order of intents follow the database\u2019s clock', async () => {
  const behind = await s.child({}, BEHIND)
  expect(hoursFromNow(behind.startedAt)).toBe(-1)
  // A `Retry-After` date is in the time of the server that sent it.
  s.fake.misbehave({ kind: 'rateLimit', retryAfter: new Date(Date.now() + 2_000).toUTCString(), times: 1 })
  await s.enqueue(track('ada', 1))
  await s.fake.until(({ counts }) => counts.applied === 1, { timeoutMs: 8_000 })
  const ahead = await s.child({}, AHEAD)
  expect(hoursFromNow(ahead.startedAt)).toBe(1)

  // Longer than two processes of the app take to start on a busy machine.
  const due = new Date(Date.now() + 15_000)
  const dedup = { dedupKey: 'once', dedupWindowSeconds: 15 }
  const seen = async (clock: string[], n: number) =>
    enqueueOn(
      clock,
      { intent: track('ada', n) },
      { intent: track(`later${n}`, 1), options: { sendAfter: due } },
      { intent: track(`good${n}`, 1), options: { expiresAt: new Date(Date.now() + 30 * MINUTE_MS) } },
      { intent: track(`stale${n}`, 1), options: { expiresAt: new Date(Date.now() - 30 * MINUTE_MS) } },
      { intent: { operation: 'identify', customerId: `eve${n}` } },
      { intent: track('once', n), options: dedup },
    )
  const [first, second] = [await seen(AHEAD, 2), await seen(BEHIND, 3)]
  expect([hoursFromNow(first.now), hoursFromNow(second.now)]).toEqual([1, -1])
  expect([first.results.at(-1)?.duplicate, second.results.at(-1)?.duplicate]).toEqual([false, true])
  await enqueueOn(AHEAD, { intent: track('ada', 4) })
  await s.drained()
  expect(s.fake.applied.filter(({ personKey }) => personKey === 'id:ada')).toHaveLength(4)
  expect(await s.db.rows('SELECT ordering_key, reason FROM outbox.dead_letters ORDER BY 1')).toEqual([
    { ordering_key: 'stale2', reason: 'expired' },
    { ordering_key: 'stale3', reason: 'expired' },
  ])
  const written = await s.db.rows<{ at: number }>(
    `SELECT floor(extract(epoch FROM enqueued_at))::int AS at FROM outbox.delivered
     WHERE operation = 'identify' ORDER BY seq`,
  )
  const identified = s.fake.applied.filter(({ action }) => action === 'identify')
  expect(identified.map(({ timestamp }) => timestamp)).toEqual(written.map(({ at }) => at))
  for (const { at } of written) expect(hoursFromNow(at * 1_000)).toBe(0)

  await s.fake.until(({ counts }) => counts.applied === 11, { timeoutMs: 25_000 })
  expect(s.fake.counts).toMatchObject({ applied: 11, outOfOrder: 0, duplicates: 0 })
  for (const n of [2, 3]) {
    expect(s.fake.person({ id: `later${n}` })?.events[0]?.receivedAt).toBeGreaterThanOrEqual(due.getTime())
  }
  await eventually('the end of the dedup window', async () => {
    const { results } = await enqueueOn(BEHIND, { intent: track('once', 9), options: dedup })
    return results[0]?.duplicate === false
  })
})

test('28: with relay clocks an hour ahead and behind, no two relays work on one lane, and the lanes of a dead relay are taken over within 20 s', async () => {
  const people = Array.from({ length: 40 }, (_, n) => `p${n}`)
  const watch = watchLanes(s.fake, await lanesOf(s.db, people))
  const settings = { requestTimeoutMs: 60_000, workers: 8 }
  const [ahead, behind] = await Promise.all([s.child(settings, AHEAD), s.child(settings, BEHIND)])
  const writer = s.writer('w')
  s.fake.latencyMs = 22_000
  for (let n = 0; n < 3; n++) await writer.transact({ steps: people.map((person) => ({ person })) })
  await eventually(
    'both to have lanes',
    async () => (await held(ahead.relayId)) * (await held(behind.relayId)) > 0,
  )
  const lanes = await s.db.rows('SELECT DISTINCT lane FROM outbox.intents')
  await s.fake.until(() => watch.lanes.size === lanes.length)
  const underWay = s.fake.requests.total

  // 15 s is longer than the 10 s after which a worker without a heartbeat counts as dead. Both live, so neither takes a lane.
  await eventually('15 s since the last claim', async () => {
    const rows = await s.db.rows(
      "SELECT 1 FROM outbox.lanes WHERE relay_id IS NOT NULL AND taken_at > clock_timestamp() - interval '15 s'",
    )
    return rows.length === 0
  })
  expect(s.fake.requests.total).toBe(underWay)
  expect(watch.overlaps).toEqual([])

  s.fake.latencyMs = 0
  await ahead.kill()
  const killedAt = performance.now()
  await eventually('the takeover', async () => (await held(ahead.relayId)) === 0)
  await s.drained()
  expect(performance.now() - killedAt).toBeLessThan(TAKEOVER_MS)
  expect(await s.verdict()).toMatchObject({ delivered: 120, findings: [] })
})

async function held(relayId: string): Promise<number> {
  return (await s.db.rows('SELECT 1 FROM outbox.lanes WHERE relay_id = $1', [relayId])).length
}
