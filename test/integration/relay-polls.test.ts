import { afterEach, beforeEach, expect, test } from 'vitest'
import { createRelay } from '../../src/relay.ts'
import { startCountingProxy } from '../support/counting-proxy.ts'
import { eventually } from '../support/eventually.ts'
import { type Harness, peopleOfOneLane, startHarness, stepOf, track } from '../support/relay-harness.ts'

let h: Harness
beforeEach(async () => {
  h = await startHarness({ sequenceOf: stepOf })
})
afterEach(() => h.close())

interface Watermarks {
  readonly confirmed: number
  readonly provisional: number
}

/** The watermarks of the lane of `peopleOfOneLane`. */
async function readWatermarks(): Promise<Watermarks | undefined> {
  const [row] = await h.db.rows<Watermarks & Record<string, unknown>>(
    'SELECT watermark::int AS confirmed, provisional_watermark::int AS provisional FROM outbox.lanes WHERE lane = 3',
  )
  return row
}

/** Counts the buffers that a read of `relation` touches. */
async function buffersOf(relation: string): Promise<number> {
  const [row] = await h.db.rows<{ 'QUERY PLAN': [{ Plan: Record<string, number> }] }>(
    `EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT * FROM outbox.${relation}`,
  )
  const plan = row?.['QUERY PLAN'][0].Plan
  return (plan?.['Shared Hit Blocks'] ?? 0) + (plan?.['Shared Read Blocks'] ?? 0)
}

test('an idle relay runs at most three statements a second, those of pg-boss included', async () => {
  const proxy = await startCountingProxy(h.db.url)
  await h.enqueue(track('u1', 1))
  const relay = createRelay({
    connectionString: proxy.url,
    checkRegion: false,
    customerio: { siteId: 'site', trackApiKey: 'key', trackUrl: h.fake.url },
  })
  await relay.start()
  await h.drained()
  const idle = async () => (await h.db.rows('SELECT FROM outbox.notify_flag WHERE last_value = 2')).length > 0
  await eventually('an idle relay', idle)
  await eventually('no lane to be held', async () => {
    return (await h.db.rows('SELECT 1 FROM outbox.lanes WHERE relay_id IS NOT NULL')).length === 0
  })
  const before = proxy.statements
  expect(before).toBeGreaterThan(10)
  const began = performance.now()
  await eventually('ten seconds', () => performance.now() - began > 10_000)
  expect((proxy.statements - before) / ((performance.now() - began) / 1_000)).toBeLessThanOrEqual(3)
  await relay.stop()
  await proxy.close()
})

test('an idle relay sends a scheduled intent when it falls due, not at its next poll', async () => {
  await h.enqueueWith({ sendAfter: new Date(Date.now() + 3_000) }, track('u1', 1))
  await h.relay({ pollIntervalMs: 60_000 })
  await h.fake.until(({ counts }) => counts.applied === 1)
  await h.drained()
  const [row] = await h.db.rows<{ late: number }>(
    `SELECT extract(epoch FROM d.delivered_at - d.enqueued_at)::float8 AS late FROM outbox.delivered d`,
  )
  expect(row?.late).toBeGreaterThanOrEqual(2.5)
  expect(row?.late).toBeLessThan(30)
})

test('no poll, view or turn reads the dead rows that an old snapshot keeps', async () => {
  const old = await h.db.begin()
  await old.query('SET TRANSACTION ISOLATION LEVEL REPEATABLE READ')
  await old.query('SELECT 1')
  await h.enqueue(...Array.from({ length: 20_000 }, (_, n) => track(`u${n % 500}`, n)))
  await h.relay()
  await h.drained(60_000)
  const settled = () => h.db.rows('SELECT 1 FROM outbox.lanes WHERE watermark = 0 OR relay_id IS NOT NULL')
  await eventually('every lane to be handed back', async () => (await settled()).length === 0)
  await h.enqueueWith({ sendAfter: new Date(Date.now() + 3_600_000) }, track('u1', 20_001))
  // A read from the beginning of the lanes would take one buffer for every settled row.
  expect(await buffersOf('lane_heads')).toBeLessThan(1_000)
  expect(await buffersOf('backlog')).toBeLessThan(1_000)
  expect(await buffersOf('health')).toBeLessThan(1_000)
  await old.query('COMMIT')
  old.release()
  expect(h.fake.counts).toMatchObject({ applied: 20_000, outOfOrder: 0 })
})

test('an open transaction does not stop the provisional watermark, and its intents keep their order', async () => {
  const [late = '', ...others] = await peopleOfOneLane(h.db, 'default/track', 4)
  const open = await h.db.begin()
  await h.outbox.enqueue(open, track(late, 1))
  await h.relay({ pollIntervalMs: 50 })
  const isPast = eventually('a watermark past the open transaction', async () => {
    const now = await readWatermarks()
    return now !== undefined && now.provisional > now.confirmed
  })
  let n = 0
  // A lane that stays with its worker records its watermark once per 1,000 seq. A few rounds of 300 intents reach that.
  const more = () =>
    h.enqueue(
      ...Array.from({ length: 100 }, () => n++).flatMap((step) =>
        others.map((person) => track(person, step)),
      ),
    )
  let done = false
  void isPast.finally(() => {
    done = true
  })
  while (!done) {
    await more()
    await h.drained()
  }
  await isPast
  await open.query('COMMIT')
  open.release()
  // Enqueued after the commit, intent 2 must not overtake intent 1, though the watermark is past intent 1.
  await h.enqueue(track(late, 2))
  await h.drained()
  await h.fake.until((fake) => fake.counts.applied === 2 + n * others.length)
  expect(h.fake.counts).toMatchObject({ duplicates: 0, outOfOrder: 0 })
  const caughtUp = async () => {
    const now = await readWatermarks()
    return now !== undefined && now.provisional === now.confirmed
  }
  await eventually('equal watermarks', async () => {
    await more()
    await h.drained()
    return caughtUp()
  })
})

test('an intent below the watermark of its lane is found', async () => {
  const [person = ''] = await peopleOfOneLane(h.db, 'default/track', 1)
  await h.db.rows(
    "INSERT INTO outbox.lanes (destination, lane, watermark, provisional_watermark) VALUES ('default/track', 3, 1000000, 1000000)",
  )
  await h.enqueue(track(person, 1))
  await h.relay()
  await h.fake.until(({ counts }) => counts.applied === 1)
  await h.drained()
})
