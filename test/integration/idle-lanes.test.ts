import { afterEach, beforeEach, expect, test } from 'vitest'
import { createRelay } from '../../src/relay.ts'
import { openDatabase } from '../../src/store/connection/database.ts'
import { findReadyLanes } from '../../src/store/lanes/find-ready-lanes.ts'
import { claimLane } from '../../src/store/lanes/claim-lane.ts'
import { startCountingProxy } from '../support/counting-proxy.ts'
import { eventually } from '../support/eventually.ts'
import {
  email,
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

const held = () =>
  h.db.rows<{ relay_id: string }>('SELECT relay_id FROM outbox.lanes WHERE relay_id IS NOT NULL')
const jobs = () => h.db.rows("SELECT FROM outbox_pgboss.job_common WHERE state IN ('created', 'active')")
const epochs = () => h.db.rows<{ epoch: string }>('SELECT epoch FROM outbox.lanes ORDER BY destination, lane')
const flag = async () =>
  (await h.db.rows<{ up: boolean }>('SELECT last_value = 2 AS up FROM outbox.notify_flag'))[0]?.up

/** Returns one person of each of `count` lanes. */
async function peopleOfLanes(count: number): Promise<string[]> {
  const rows = await h.db.rows<{ person: string }>(
    `SELECT DISTINCT ON (lane) person FROM (
       SELECT 'p' || n AS person, outbox.lane_of('default/track', 'p' || n, 'normal') AS lane
       FROM generate_series(1, 500) n) p
     ORDER BY lane, person LIMIT $1`,
    [count],
  )
  return rows.map(({ person }) => person)
}

/** Enqueues `count` intents, each when the one before has arrived. Resolves with the milliseconds that all of them took. */
async function oneByOne(count: number, person: string, from = 0): Promise<number> {
  const began = performance.now()
  for (let n = from; n < from + count; n++) {
    await h.enqueue(track(person, n))
    await h.fake.until(({ counts }) => counts.applied > n)
  }
  return performance.now() - began
}

test('intents that come one after the other need one claim of their lane, and one lane job', async () => {
  const [person = ''] = await peopleOfOneLane(h.db, 'default/track', 1)
  const proxy = await startCountingProxy(h.db.url)
  // Without notifications each intent would wait for a poll, for up to 10 s.
  const relay = await h.relay({ connectionString: proxy.url, pollIntervalMs: 10_000 })
  await oneByOne(1, person)
  const before = proxy.statements
  await oneByOne(50, person, 1)
  // For each intent: read, read ahead, settle, read. For every second intent also tokens of the rate limit.
  expect((proxy.statements - before) / 50).toBeLessThan(7)
  expect(await epochs()).toEqual([{ epoch: '1' }])
  expect(await held()).toEqual([{ relay_id: relay.relayId }])
  expect(await jobs()).toHaveLength(1)
  expect(h.fake.counts).toMatchObject({ applied: 51, duplicates: 0, outOfOrder: 0 })
  await relay.stop()
  await proxy.close()
})

test('offered lanes do not wait for the idle waits of other lanes, whichever relay offered them', async () => {
  // The only worker of the first relay is busy with one lane. The relay has offered seven more lanes.
  const hung = h.fake.misbehave({ kind: 'latency', ms: 8_000, times: 1 })
  const first = await h.relay({ workers: 1, requestTimeoutMs: 20_000 })
  const people = await peopleOfLanes(8)
  await h.enqueue(...people.map((person) => track(person, 1)))
  await h.fake.until(({ requests }) => requests.total === 1)
  await h.relay({ workers: 1 })
  // If each lane waited for the idle wait of the lane before it, all seven would take 10 s.
  await h.fake.until(({ counts }) => counts.applied === 7, { timeoutMs: 7_000 })
  expect(await held()).toContainEqual({ relay_id: first.relayId })
  await h.drained(15_000)
  hung()
}, 60_000)

test('rows that reappear below a watermark are found within seconds, even under load', async () => {
  const [late = '', neighbour = ''] = await peopleOfOneLane(h.db, 'default/track', 2)
  await h.relay()
  await oneByOne(5, neighbour)
  // A server that lost its last commits draws a `seq` again. The test fails without the second read from the beginning in
  // lane-reader.ts: polls wake the lane for this row, and the lane does not find it until the end of the turn.
  await h.db.rows(
    `INSERT INTO outbox.intents (seq, destination, lane, id, operation, payload, ordering_key, enqueued_at)
     OVERRIDING SYSTEM VALUE
     VALUES (1, 'default/track', 3, gen_random_uuid(), 'track', $1, $2, now())`,
    [JSON.stringify({ customerId: late, name: 'late' }), late],
  )
  const isDelivered = () => h.fake.person({ id: late }) !== undefined
  const began = performance.now()
  for (let n = 5; !isDelivered() && performance.now() - began < 20_000; n++) await oneByOne(1, neighbour, n)
  expect(isDelivered()).toBe(true)
})

test('a notification wakes an idle lane directly: no poll has to find the work', async () => {
  await h.relay({ pollIntervalMs: 10_000 })
  await oneByOne(2, 'u1')
  await h.db.rows('ALTER VIEW outbox.lane_watermarks RENAME TO no_lane_bounds') // every poll fails from now on
  await oneByOne(10, 'u1', 2)
  expect(await epochs()).toEqual([{ epoch: '1' }])
  await h.db.rows('ALTER VIEW outbox.no_lane_bounds RENAME TO lane_watermarks')
})

test('a lane of messages stays with its worker while it is idle, too', async () => {
  await h.relay({ pollIntervalMs: 10_000 })
  for (let n = 1; n <= 10; n++) {
    await h.enqueue(email('u1', n))
    await h.fake.until(({ counts }) => counts.sends === n)
  }
  expect(await epochs()).toEqual([{ epoch: '1' }])
})

test('an idle lane without work is handed back, and another relay can claim it', async () => {
  const first = await h.relay()
  await h.enqueue(track('u1', 1))
  await h.fake.until(({ counts }) => counts.applied === 1)
  await eventually('the lane to be handed back', async () => (await held()).length === 0, 5_000)
  await eventually('the end of its job', async () => (await jobs()).length === 0, 5_000)
  const second = await h.relay()
  await first.stop()
  await h.enqueue(track('u1', 2))
  await h.fake.until(({ counts }) => counts.applied === 2)
  expect(await held()).toEqual([{ relay_id: second.relayId }])
})

test('stop() hands an idle lane back at once', async () => {
  const relay = await h.relay()
  const [person = ''] = await peopleOfOneLane(h.db, 'default/track', 1)
  await oneByOne(3, person)
  expect(await held()).toHaveLength(1)
  const began = performance.now()
  await relay.stop()
  expect(performance.now() - began).toBeLessThan(1_000)
  expect(await held()).toEqual([])
  expect(await jobs()).toEqual([])
})

test('idle lanes make room for lanes that wait', async () => {
  await h.relay({ workers: 1 })
  const people = Array.from({ length: 60 }, (_, n) => `u${n}`) // of every lane
  const began = performance.now()
  await h.enqueue(...people.map((person, n) => track(person, n)))
  await h.drained()
  // 16 lanes one after the other, each idle for 1.5 s, would be 24 s.
  expect(performance.now() - began).toBeLessThan(8_000)
  expect((await epochs()).length).toBeGreaterThan(10)
})

test('a relay whose idle lane was claimed by another relay sends nothing from it before it claims the lane again', async () => {
  const [person = ''] = await peopleOfOneLane(h.db, 'default/track', 1)
  await h.relay()
  await oneByOne(1, person)
  const db = openDatabase({ connectionString: h.db.url })
  const other = createRelay({
    connectionString: h.db.url,
    ...QUICK,
    customerio: { siteId: 's', trackApiKey: 'k' },
  })
  await claimLane(db, { destination: 'default/track', lane: 3 }, other.relayId)
  // The first relay still has the lane's job, so it claims the lane again: the epoch becomes 3.
  await h.enqueue(track(person, 1))
  await h.fake.until(({ counts }) => counts.applied === 2)
  await h.drained()
  expect((await epochs())[0]?.epoch).toBe('3')
  expect(h.fake.counts).toMatchObject({ duplicates: 0, outOfOrder: 0 })
  expect((await findReadyLanes(db, { served: ['default/track'], except: [] })).lanes).toEqual([])
  await db.close()
  await other.stop()
})

test('commits notify while they are few; a burst turns the flag off, and its end turns it on again', async () => {
  await h.relay()
  await eventually('the flag to be on', flag)
  const [person = ''] = await peopleOfOneLane(h.db, 'default/track', 1)
  await oneByOne(10, person)
  expect(await flag()).toBe(true)
  let writing = true
  const writers = Array.from({ length: 4 }, async (_, writer) => {
    for (let n = 0; writing; n++) await h.enqueue(track(`w${writer}`, n))
  })
  await eventually('the flag to be off', async () => (await flag()) === false)
  writing = false
  await Promise.all(writers)
  await h.drained()
  await eventually('the flag to be on again', flag, 5_000)
})
