import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Intent } from '../../src/index.ts'
import { claimLane } from '../../src/store/lanes/claim-lane.ts'
import { FencedError, settle } from '../../src/store/lanes/settle.ts'
import { openDatabase } from '../../src/store/connection/database.ts'
import { eventually } from '../support/eventually.ts'
import { type Harness, startHarness, stepOf, track } from '../support/relay-harness.ts'

let h: Harness
beforeEach(async () => {
  h = await startHarness({ sequenceOf: stepOf })
})
afterEach(() => h.close())

test('a settle after another relay claimed the lane is refused and changes nothing', async () => {
  await h.enqueue(track('u1', 1))
  const [row] = await h.db.rows<{ destination: string; lane: number; seq: string; id: string }>(
    'SELECT destination, lane, seq, id FROM outbox.intents',
  )
  const db = openDatabase({ connectionString: h.db.url })
  const relays = ['0190a1b2-0000-7000-8000-000000000001', '0190a1b2-0000-7000-8000-000000000002']
  const stalled = await claimLane(db, row as never, relays[0] as string)
  const current = await claimLane(db, row as never, relays[1] as string)
  expect(BigInt(current.epoch)).toBe(BigInt(stalled.epoch) + 1n)
  const settlement = { delivered: row ? [row] : [], dead: [] }
  await expect(settle(db, stalled, settlement)).rejects.toThrow(FencedError)
  expect(await h.db.rows('SELECT 1 FROM outbox.intents')).toHaveLength(1)
  expect(await h.db.rows('SELECT 1 FROM outbox.delivered')).toHaveLength(0)
  await settle(db, current, settlement)
  expect(await h.db.rows('SELECT 1 FROM outbox.intents')).toHaveLength(0)
  await db.close()
})

test('a scheduled intent does not block other intents of its person, and gets its place in order when it falls due', async () => {
  await h.relay({ pollIntervalMs: 100 })
  const [{ at } = { at: new Date() }] = await h.db.rows<{ at: Date }>(
    "SELECT now() + interval '1200 ms' AS at",
  )
  await h.db.transaction((tx) => h.outbox.enqueue(tx, track('u1', 2), { sendAfter: at }))
  await h.enqueue(track('u1', 1))
  await eventually('the intent that is due', () => h.fake.counts.applied === 1)
  await h.drained()
  expect((await h.db.rows('SELECT pending, scheduled FROM outbox.backlog'))[0]).toEqual({
    pending: '0',
    scheduled: '1',
  })
  await eventually('the scheduled intent', () => h.fake.counts.applied === 2)
  expect(h.fake.applied.map((op) => stepOf(op.body as never))).toEqual([1, 2])
  expect(h.fake.applied[1]?.receivedAt).toBeGreaterThanOrEqual(at.getTime())
})

test('an expired intent becomes a dead letter and is not sent', async () => {
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

test('a payload that SQL accepts and no API accepts becomes a dead letter of reason `invalid`; other intents are delivered', async () => {
  await h.db.rows(`SELECT outbox.enqueue('track', '{"customerId": "u1", "name": ""}')`)
  await h.enqueue(track('u1', 1))
  await h.relay()
  await h.drained()
  expect(h.fake.counts.applied).toBe(1)
  expect(await h.db.rows('SELECT reason FROM outbox.dead_letters')).toEqual([{ reason: 'invalid' }])
})

test('suppress and unsuppress are sent alone, in order with all other intents', async () => {
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

test('intents that exceed the size of one request are sent in several requests, in order', async () => {
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
