/**
 * Each of these changes makes a test fail:
 * - no `#rewind` in lane-reader.ts: intents that were put back are sent late (hold.test.ts);
 * - no `closedKeys` in cut-batch.ts: an intent shares the request of the one that may hold it (cut-batch.test.ts);
 * - no `release_lane` in `run_dead_letters`: only the audit finds what a discard has released.
 */
import { once } from 'node:events'
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest'
import { namesOf } from '../../src/store/names.ts'
import { openDatabase } from '../../src/store/connection/database.ts'
import { claimLane } from '../../src/store/lanes/claim-lane.ts'
import { findReadyLanes } from '../../src/store/lanes/find-ready-lanes.ts'
import { readHeldKeys } from '../../src/store/lanes/read-held-keys.ts'
import { releaseHeld } from '../../src/store/lanes/release-held.ts'
import { auditLanes } from '../../src/store/lanes/audit-lanes.ts'
import type { Database } from '../../src/store/connection/database.ts'
import { startCountingProxy } from '../support/counting-proxy.ts'
import { eventually } from '../support/eventually.ts'
import { holding, identify } from '../support/hold.ts'
import {
  everyApi,
  type Harness,
  peopleOfOneLane,
  startHarness,
  stepOf,
  track,
} from '../support/relay-harness.ts'

let h: Harness
let t: ReturnType<typeof holding>
beforeEach(async () => {
  h = await startHarness({ sequenceOf: stepOf })
  t = holding(h)
})
afterEach(() => h.close())

/** One lane, in which `peopleOfOneLane` finds people. */
const LANE = { destination: 'default/track', lane: 3 }

test('two relays, one of which is killed during the release: every person gets every step once, in order', async () => {
  const people = Array.from({ length: 12 }, (_, n) => `p${n}`)
  let bad = true
  t.refuse((step) => bad && step === 3)
  const settings = {
    pollIntervalMs: 100,
    customerio: { ...everyApi(h.fake), requestsPerSecond: { track: 10_000 }, onDead: 'hold' as const },
  }
  const killed = await h.relayProcess(settings)
  await h.relayProcess(settings)
  const enqueueSteps = async (from: number, to: number) => {
    for (let n = from; n < to; n++) await h.enqueue(...people.map((person) => track(person, n)))
  }
  await enqueueSteps(0, 20)
  await t.dead(people.length)
  await t.held(people.length * 16)
  bad = false
  const live = enqueueSteps(20, 60)
  const id = await t.op.apply('redrive', { operation: 'track' })
  await h.fake.until(({ counts }) => counts.applied > people.length * 5)
  killed.kill('SIGKILL')
  await once(killed, 'exit')
  await t.op.ended(id)
  await live
  await eventually('everything', () => h.fake.counts.applied === people.length * 60, 40_000)
  const inOrder = Array.from({ length: 60 }, (_, n) => n)
  for (const person of people) expect(t.stepsOf(person)).toEqual(inOrder)
  expect(await t.letters()).toEqual([])
}, 90_000)

test("a relay with the setting 'continue' respects what another relay holds", async () => {
  const [person = ''] = await peopleOfOneLane(h.db, 'default/track', 1)
  t.refuse((step) => step === 0)
  await h.enqueue(track(person, 0), track(person, 1))
  const relay = await t.relay('hold')
  await t.held(1)
  await relay.stop()
  await h.enqueue(track(person, 2))
  await t.relay('continue')
  await t.held(2)
  expect(t.stepsOf(person)).toEqual([])
})

test('held intents cost an idle relay no request, no lane job, and no more statements', async () => {
  const proxy = await startCountingProxy(h.db.url)
  onTestFinished(() => proxy.close())
  const [person = ''] = await peopleOfOneLane(h.db, 'default/track', 1)
  t.refuse((step) => step === 0)
  await h.enqueue(...Array.from({ length: 1_000 }, (_, n) => track(person, n)))
  const relay = await t.relay('hold', { connectionString: proxy.url })
  await t.held(999)
  await eventually(
    'no lane to be held',
    async () => (await t.count('lanes WHERE relay_id IS NOT NULL')) === 0,
  )
  const [before, requests] = [proxy.statements, h.fake.requests.total]
  const began = performance.now()
  await eventually('five seconds', () => performance.now() - began > 5_000)
  expect((proxy.statements - before) / ((performance.now() - began) / 1_000)).toBeLessThanOrEqual(3)
  expect(h.fake.requests.total).toBe(requests)
  await relay.stop()
})

test('100,000 held intents of one key: they cost few pages, go on in parts, and delay nobody', async () => {
  const [person = '', other = ''] = await peopleOfOneLane(h.db, 'default/track', 2)
  let bad = true
  t.refuse((_, { action }) => bad && action === 'identify')
  await h.enqueue(identify(person))
  const relay = await t.relay({ identify: 'hold' })
  await t.dead(1)
  await h.db.rows(
    `INSERT INTO outbox.intents (destination, lane, id, operation, payload, ordering_key, enqueued_at)
     SELECT 'default/track', 3, outbox.new_id(), 'track',
            json_build_object('customerId', $1::text, 'name', 'step', 'data', json_build_object('n', n)), $1, now()
     FROM generate_series(1, 100000) n`,
    [person],
  )
  await eventually(
    '100,000 held intents',
    async () => (await t.count('intents WHERE lane < -1')) === 100_000,
    40_000,
  )
  await h.enqueue(track(other, 1))
  await h.fake.until(({ counts }) => counts.applied === 1)
  await relay.stop()

  await h.db.rows('VACUUM ANALYZE outbox.intents, outbox.lanes, outbox.dead_letters')
  const db = openDatabase({ connectionString: h.db.url, applicationName: 'test' })
  onTestFinished(() => db.close())
  const fence = await claimLane(db, LANE, '0190a1b2-0000-7000-8000-000000000001')
  const served = [LANE.destination]
  expect((await findReadyLanes(db, { served, except: [] })).lanes).toEqual([])
  const pages = {
    poll: await pagesOf((spy) => findReadyLanes(spy, { served, except: [], breakersOf: served })),
    keys: await pagesOf((spy) => readHeldKeys(spy, LANE)),
    audit: await pagesOf((spy) => auditLanes(spy, served)),
  }
  for (const [what, read] of Object.entries(pages)) expect(read, what).toBeLessThan(300)
  expect(await auditLanes(db, served)).toEqual([])
  await h.db.rows('DELETE FROM outbox.dead_letters')
  expect(await auditLanes(db, served)).toEqual([LANE])
  // 1,000 intents, each of which takes an update of three indexes.
  expect(await pagesOf((spy) => releaseHeld(spy, fence))).toBeLessThan(15_000)

  bad = false
  await t.relay({ identify: 'hold' })
  const began = performance.now()
  await h.enqueue(track(other, 2))
  await eventually('the other person', () => t.stepsOf(other).length === 2)
  expect(performance.now() - began).toBeLessThan(5_000)
  await h.fake.until(({ counts }) => counts.applied === 100_002, { timeoutMs: 60_000 })
  expect(h.fake.counts.outOfOrder).toBe(0)
}, 180_000)

test('backlog, health, find and metrics say what is held, and nothing is late', async () => {
  const [person = '', other = ''] = await peopleOfOneLane(h.db, 'default/track', 2)
  t.refuse((step) => step === 0)
  await h.enqueue(track(person, 0), track(other, 0), track(person, 1), track(person, 2))
  const relay = await t.relay('hold')
  await t.held(2)
  await h.db.rows("UPDATE outbox.intents SET enqueued_at = now() - interval '1 hour'")
  const backlog = () =>
    h.db.rows('SELECT destination, pending, scheduled, held, lag_seconds FROM outbox.backlog')
  expect(await backlog()).toEqual([
    { destination: 'default/track', pending: '0', scheduled: '0', held: '2', lag_seconds: 0 },
  ])
  const [health] = await h.db.rows<{ status: string; reasons: string[] }>('SELECT * FROM outbox.health')
  expect(health).toEqual({
    status: 'degraded',
    reasons: [
      'default/track has 2 dead letters of the last hour',
      'default/track holds the later intents of 2 keys behind dead letters: redrive or discard these',
    ],
  })
  const [letter] = await t.letters(`ordering_key = '${person}'`)
  const found = await h.db.rows<{ detail: string }>(
    "SELECT detail FROM outbox.find($1) WHERE event = 'pending'",
    [person],
  )
  expect(found).toHaveLength(2)
  for (const { detail } of found)
    expect(detail).toMatch(
      new RegExp(`^held behind dead letter ${letter?.id} of the same key, until it is redriven or discarded`),
    )
  await relay.stop()
  await h.enqueue(track(other, 5))
  const [queued] = await h.db.rows<{ detail: string }>(
    "SELECT detail FROM outbox.find($1) WHERE event = 'pending'",
    [other],
  )
  expect(queued?.detail).toContain('held behind dead letter')
  await h.db.rows('DELETE FROM outbox.intents WHERE lane < -1')
  expect(await backlog()).toMatchObject([{ pending: '1', held: '0' }])
})

test('an action requests the release with its own COMMIT', async () => {
  const [person = ''] = await peopleOfOneLane(h.db, 'default/track', 1)
  t.refuse((step) => step === 0)
  await h.enqueue(track(person, 0), track(person, 1))
  const relay = await t.relay('hold')
  await t.held(1)
  await relay.stop()
  const id = await t.op.apply('discard', { person })
  await h.db.rows('SELECT outbox.run_action($1, 100)', [id])
  expect(await h.db.rows('SELECT lane FROM outbox.lanes WHERE release_requests > 0')).toEqual([
    { lane: LANE.lane },
  ])
})

test('cancel, reschedule and erase reach held intents', async () => {
  const [person = '', other = ''] = await peopleOfOneLane(h.db, 'default/track', 2)
  t.refuse((step) => step === 0)
  await h.enqueue(track(person, 0), track(person, 1), track(person, 2), track(person, 3))
  await t.relay('hold')
  await t.held(3)
  const found = await h.db.rows<{ id: string; n: number }>(
    "SELECT id, (outbox.payload_of(format, operation, payload, enqueued_at) #>> '{data,n}')::int AS n FROM outbox.intents ORDER BY seq",
  )
  await t.op.ended(await t.op.apply('cancel', { ids: [found[0]?.id] }))
  await t.held(2)
  const at = new Date(Date.now() - 1_000).toISOString()
  await t.op.ended(await t.op.apply('reschedule', { ids: [found[1]?.id] }, { at }))
  await t.held(2)
  // The letter is the person's, and what it holds is of another person with the same ordering key.
  await h.enqueueWith({ orderingKey: person }, track(other, 9))
  await t.held(3)
  await t.op.ended(await t.op.apply('erase', { person: `id:${person}` }))
  expect(await t.count('dead_letters')).toBe(0)
})

/** Counts the pages that the statements of `work` read and write. They are rolled back. */
async function pagesOf(work: (spy: Database) => Promise<unknown>): Promise<number> {
  let pages = 0
  const query = async (text: string, values: readonly unknown[] = []) => {
    const tx = await h.db.begin()
    try {
      const { rows } = await tx.query(`EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ${text}`, [...values])
      const [{ Plan: plan }] = rows[0]['QUERY PLAN']
      pages += plan['Shared Hit Blocks'] + plan['Shared Read Blocks']
    } finally {
      await tx.query('ROLLBACK')
      tx.release()
    }
    return [{ lanes: [], keys: [], fenced: false, first: null, more: false }]
  }
  await work({ names: namesOf(), query } as unknown as Database)
  return pages
}
