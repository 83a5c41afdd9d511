import { afterEach, beforeEach, expect, test } from 'vitest'
import { createRelay } from '../../src/index.ts'
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
  (await h.db.rows<{ up: boolean }>('SELECT last_value = 2 AS up FROM outbox.relay_idle'))[0]?.up

/** People of so many lanes, one of each. */
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

/** One after the other: each is committed when the one before has arrived. */
async function oneByOne(count: number, person: string, from = 0): Promise<number> {
  const began = performance.now()
  for (let n = from; n < from + count; n++) {
    await h.enqueue(track(person, n))
    await h.fake.until(({ counts }) => counts.applied > n)
  }
  return performance.now() - began
}

test('intents one after the other cost one taking of their lane and no job each', async () => {
  const [person = ''] = await peopleOfOneLane(h.db, 'default/track', 1)
  const proxy = await startCountingProxy(h.db.url)
  // Without wake-ups and looks of its own it would be 10 s each: it is notified of every one.
  const relay = await h.relay({ connectionString: proxy.url, pollIntervalMs: 10_000 })
  await oneByOne(1, person)
  const before = proxy.statements
  await oneByOne(50, person, 1)
  // Read, read ahead, settle, read, and a draw of the limit's for every other one.
  expect((proxy.statements - before) / 50).toBeLessThan(7)
  expect(await epochs()).toEqual([{ epoch: '1' }])
  expect(await held()).toEqual([{ relay_id: relay.relayId }])
  expect(await jobs()).toHaveLength(1)
  expect(h.fake.counts).toMatchObject({ applied: 51, duplicates: 0, outOfOrder: 0 })
  await relay.stop()
  await proxy.close()
})

test('lanes that another relay has offered, and nobody works, wait for no lane that lingers', async () => {
  // The first relay's only worker is held up; seven lanes more wait, which it has offered.
  const hung = h.fake.misbehave({ kind: 'latency', ms: 8_000, times: 1 })
  const first = await h.relay({ lanes: 1, requestTimeoutMs: 20_000 })
  const people = await peopleOfLanes(8)
  await h.enqueue(...people.map((person) => track(person, 1)))
  await h.fake.until(({ requests }) => requests.total === 1)
  await h.relay({ lanes: 1 })
  // Each would otherwise be waited for as long as a lane lingers: 10 s in all.
  await h.fake.until(({ counts }) => counts.applied === 7, { timeoutMs: 7_000 })
  expect(await held()).toContainEqual({ relay_id: first.relayId })
  await h.drained(15_000)
  hung()
}, 60_000)

test('what lies below where a lane has come is found within seconds, though the lane has work all the while', async () => {
  const [late = '', neighbour = ''] = await peopleOfOneLane(h.db, 'default/track', 2)
  await h.relay()
  await oneByOne(5, neighbour)
  // As a server does that has lost its last commits: a number that was used once is used again. Without `#lookBehind` in
  // lane-reader.ts the looks wake the lane for it, and the lane looks past it, until the end of the turn.
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

test('a lane that lingers is woken by the notification itself: no look has to find the work', async () => {
  await h.relay({ pollIntervalMs: 10_000 })
  await oneByOne(2, 'u1')
  await h.db.rows('ALTER VIEW outbox.lane_watermarks RENAME TO no_lane_bounds') // every look fails from now on
  await oneByOne(10, 'u1', 2)
  expect(await epochs()).toEqual([{ epoch: '1' }])
  await h.db.rows('ALTER VIEW outbox.no_lane_bounds RENAME TO lane_watermarks')
})

test('messages too: their lane lingers', async () => {
  await h.relay({ pollIntervalMs: 10_000 })
  for (let n = 1; n <= 10; n++) {
    await h.enqueue(email('u1', n))
    await h.fake.until(({ counts }) => counts.sends === n)
  }
  expect(await epochs()).toEqual([{ epoch: '1' }])
})

test('a lane without work is handed back, and another relay works it', async () => {
  const first = await h.relay()
  await h.enqueue(track('u1', 1))
  await h.fake.until(({ counts }) => counts.applied === 1)
  await eventually('the lane handed back', async () => (await held()).length === 0, 5_000)
  await eventually('the end of its job', async () => (await jobs()).length === 0, 5_000)
  const second = await h.relay()
  await first.stop()
  await h.enqueue(track('u1', 2))
  await h.fake.until(({ counts }) => counts.applied === 2)
  expect(await held()).toEqual([{ relay_id: second.relayId }])
})

test('a lane that lingers is handed over at once by stop()', async () => {
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

test('lanes that linger make room for those that wait', async () => {
  await h.relay({ lanes: 1 })
  const people = Array.from({ length: 60 }, (_, n) => `u${n}`) // of every lane
  const began = performance.now()
  await h.enqueue(...people.map((person, n) => track(person, n)))
  await h.drained()
  // 16 lanes one after the other, each kept for its 1.5 s, would be 24 s.
  expect(performance.now() - began).toBeLessThan(8_000)
  expect((await epochs()).length).toBeGreaterThan(10)
})

test('a relay whose lingering lane was taken sends nothing more of it', async () => {
  const [person = ''] = await peopleOfOneLane(h.db, 'default/track', 1)
  await h.relay()
  await oneByOne(1, person)
  const db = openDatabase({ connectionString: h.db.url })
  const thief = createRelay({
    connectionString: h.db.url,
    ...QUICK,
    customerio: { siteId: 's', trackApiKey: 'k' },
  })
  await claimLane(db, { destination: 'default/track', lane: 3 }, thief.relayId)
  // Whoever holds the lane's job may take it anew: it is the epoch that says so.
  await h.enqueue(track(person, 1))
  await h.fake.until(({ counts }) => counts.applied === 2)
  await h.drained()
  expect((await epochs())[0]?.epoch).toBe('3')
  expect(h.fake.counts).toMatchObject({ duplicates: 0, outOfOrder: 0 })
  expect((await findReadyLanes(db, { served: ['default/track'], except: [] })).lanes).toEqual([])
  await db.close()
  await thief.stop()
})

test('commits notify while they are few; the flag goes down under a flood and comes up after it', async () => {
  await h.relay()
  await eventually('the flag up', flag)
  const [person = ''] = await peopleOfOneLane(h.db, 'default/track', 1)
  await oneByOne(10, person)
  expect(await flag()).toBe(true)
  let writing = true
  const writers = Array.from({ length: 4 }, async (_, writer) => {
    for (let n = 0; writing; n++) await h.enqueue(track(`w${writer}`, n))
  })
  await eventually('the flag down', async () => (await flag()) === false)
  writing = false
  await Promise.all(writers)
  await h.drained()
  await eventually('the flag up again', flag, 5_000)
})
