import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Intent } from '../../src/index.ts'
import { takeLane } from '../../src/store/take-lane.ts'
import { FencedError, settle } from '../../src/store/settle.ts'
import { openDatabase } from '../../src/store/database.ts'
import { eventually } from '../support/eventually.ts'
import { type Harness, startHarness, stepOf, track } from '../support/relay-harness.ts'

let h: Harness
beforeEach(async () => {
  h = await startHarness({ sequenceOf: stepOf })
})
afterEach(() => h.close())

/** `total` intents, numbered in order, over `people` people. */
const steps = (total: number, people: number): Intent[] =>
  Array.from({ length: total }, (_, n) => track(`u${n % people}`, n))

test('four relays: every intent once, in order per person, no lane worked by two at a time', async () => {
  h.fake.latencyMs = 2
  const turns = new Map<string, number>()
  await Promise.all(
    [1, 2, 3, 4].map(async () => {
      const relay = await h.relay({ batchSize: 50, lanes: 4 })
      relay.on('settled', () => turns.set(relay.relayId, (turns.get(relay.relayId) ?? 0) + 1))
    }),
  )
  // Writers commit while the relays send: a person's transactions one after the other, as an app's row lock does.
  await Promise.all(
    Array.from({ length: 8 }, async (_, writer) => {
      for (let n = 0; n < 250; n++) {
        await h.enqueue(...Array.from({ length: 10 }, (_, p) => track(`w${writer}p${p}`, n)))
      }
    }),
  )
  await h.drained()
  expect(h.fake.counts).toMatchObject({ applied: 20_000, duplicates: 0, outOfOrder: 0, refused: 0 })
  expect((await h.db.rows('SELECT count(*)::int AS n FROM outbox.delivered'))[0]).toEqual({ n: 20_000 })
  expect(turns.size).toBe(4)
})

test('a transaction that takes its place in the sequence first and commits last is delivered', async () => {
  await h.relay()
  const late = await h.db.begin()
  await h.outbox.enqueue(late, track('late', 1))
  await h.enqueue(...steps(100, 10))
  await eventually('the early ones', () => h.fake.counts.applied === 100)
  await late.query('COMMIT')
  late.release()
  await eventually('the late one', () => h.fake.person({ id: 'late' }) !== undefined)
})

test('a row that commits late, into a lane that is being drained, goes out before what its person did next', async () => {
  h.fake.latencyMs = 5
  const [{ neighbour } = { neighbour: '' }] = await h.db.rows<{ neighbour: string }>(
    `SELECT 'n' || n AS neighbour FROM generate_series(1, 1000) n
     WHERE outbox.lane_of('default/track', 'n' || n, 'normal') = outbox.lane_of('default/track', 'late', 'normal') LIMIT 1`,
  )
  const late = await h.db.begin()
  await h.outbox.enqueue(late, track('late', 1))
  await h.enqueue(...Array.from({ length: 600 }, (_, n) => track(neighbour, n)))
  const relay = await h.relay({ batchSize: 2 })
  await eventually('the drain to be under way', () => h.fake.counts.applied > 20)
  await late.query('COMMIT')
  late.release()
  await h.enqueue(track('late', 2))
  expect(h.fake.counts.applied).toBeLessThan(600)
  await h.drained()
  await relay.stop()
  expect(h.fake.counts).toMatchObject({ applied: 602, outOfOrder: 0 })
})

test('a settle after the lane was taken by another is refused, and changes nothing', async () => {
  await h.enqueue(track('u1', 1))
  const [row] = await h.db.rows<{ destination: string; lane: number; seq: string }>(
    'SELECT destination, lane, seq FROM outbox.intents',
  )
  const db = openDatabase({ connectionString: h.db.url })
  const relays = ['0190a1b2-0000-7000-8000-000000000001', '0190a1b2-0000-7000-8000-000000000002']
  const stalled = await takeLane(db, row as never, relays[0] as string)
  const current = await takeLane(db, row as never, relays[1] as string)
  expect(BigInt(current.epoch)).toBe(BigInt(stalled.epoch) + 1n)
  const settlement = { delivered: [row?.seq as string], dead: [] }
  await expect(settle(db, stalled, settlement)).rejects.toThrow(FencedError)
  expect(await h.db.rows('SELECT 1 FROM outbox.intents')).toHaveLength(1)
  expect(await h.db.rows('SELECT 1 FROM outbox.delivered')).toHaveLength(0)
  await settle(db, current, settlement)
  expect(await h.db.rows('SELECT 1 FROM outbox.intents')).toHaveLength(0)
  await db.close()
})

test('with notifications lost altogether, the poll finds the intent', async () => {
  await h.relay({ pollIntervalMs: 300 })
  await eventually('the relay to sleep', async () => {
    const [flag] = await h.db.rows<{ last_value: string }>('SELECT last_value FROM outbox.relay_idle')
    return flag?.last_value === '2'
  })
  await h.db.rows("SELECT setval('outbox.relay_idle', 1)") // as if every relay were awake: nobody is notified
  await h.enqueue(track('u1', 1))
  await eventually('the delivery', () => h.fake.counts.applied === 1)
})

test('an intent for later waits, holds back nothing of its person, and takes its place when it falls due', async () => {
  await h.relay({ pollIntervalMs: 100 })
  const [{ at } = { at: new Date() }] = await h.db.rows<{ at: Date }>(
    "SELECT now() + interval '1200 ms' AS at",
  )
  await h.db.transaction((tx) => h.outbox.enqueue(tx, track('u1', 2), { sendAfter: at }))
  await h.enqueue(track('u1', 1))
  await eventually('the one that is due', () => h.fake.counts.applied === 1)
  await h.drained()
  expect((await h.db.rows('SELECT pending, scheduled FROM outbox.backlog'))[0]).toEqual({
    pending: '0',
    scheduled: '1',
  })
  await eventually('the delayed one', () => h.fake.counts.applied === 2)
  expect(h.fake.applied.map((op) => stepOf(op.body as never))).toEqual([1, 2])
  expect(h.fake.applied[1]?.receivedAt).toBeGreaterThanOrEqual(at.getTime())
})

test('an intent that has expired is dead-lettered and not sent', async () => {
  const [{ past } = { past: new Date() }] = await h.db.rows<{ past: Date }>(
    "SELECT now() - interval '1 s' AS past",
  )
  await h.db.transaction((tx) => h.outbox.enqueue(tx, track('u1', 1), { expiresAt: past }))
  await h.enqueue(track('u1', 2))
  await h.relay()
  await h.drained()
  expect(h.fake.applied.map((op) => stepOf(op.body as never))).toEqual([2])
  expect(await h.db.rows('SELECT reason, status FROM outbox.dead_letters')).toEqual([
    { reason: 'expired', status: null },
  ])
})

test('a payload that SQL let in and no API could take is dead-lettered as invalid; the rest flows', async () => {
  await h.db.rows(`SELECT outbox.enqueue('track', '{"customerId": "u1", "name": ""}')`)
  await h.enqueue(track('u1', 1))
  await h.relay()
  await h.drained()
  expect(h.fake.counts.applied).toBe(1)
  expect(await h.db.rows('SELECT reason FROM outbox.dead_letters')).toEqual([{ reason: 'invalid' }])
})

test('merge, destroy and suppress travel alone, after all before and before all after', async () => {
  await h.enqueue(
    track('u1', 1),
    track('u1', 2),
    { operation: 'suppress', customerId: 'u1' },
    { operation: 'unsuppress', customerId: 'u1' },
    track('u1', 3),
  )
  await h.relay()
  await h.drained()
  expect(h.fake.requests.recent.map(({ operations }) => operations)).toEqual([2, 1, 1, 1])
})

test('more than a request may carry is split by bytes, in order', async () => {
  const pad = 'ü'.repeat(9_000)
  await h.enqueue(
    ...Array.from(
      { length: 60 },
      (_, n): Intent => ({ operation: 'track', customerId: 'u1', name: 'big', data: { n, pad } }),
    ),
  )
  await h.relay()
  await h.drained()
  expect(h.fake.counts).toMatchObject({ applied: 60, refused: 0, outOfOrder: 0 })
  expect(h.fake.requests.total).toBe(3)
  for (const { bytes } of h.fake.requests.recent) expect(bytes).toBeLessThanOrEqual(480_000)
})
