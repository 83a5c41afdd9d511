import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type DrainOptions, drain } from '../../src/relay.ts'
import { HALF_OPEN, startTcpProxy } from '../faults/support/network/tcp-proxy.ts'
import { createTestDatabase } from '../support/database.ts'
import { eventually } from '../support/eventually.ts'
import { createLoginRole } from '../support/login-role.ts'
import { operate } from '../support/operate.ts'
import {
  email,
  everyApi,
  type Harness,
  peopleOfOneLane,
  QUICK,
  startHarness,
  track,
} from '../support/relay-harness.ts'

let h: Harness
beforeEach(async () => {
  h = await startHarness()
})
afterEach(() => h.close())

const run = (options: Partial<DrainOptions> = {}) =>
  drain({ connectionString: h.db.url, customerio: everyApi(h.fake), ...QUICK, ...options })
const queued = () => h.db.rows('SELECT FROM outbox.intents')

/** The documented bound: `forMs` + `requestTimeoutMs` + 5 s. The last two seconds are for a busy machine. */
const boundMs = (forMs: number, requestTimeoutMs: number) => forMs + requestTimeoutMs + 5_000 + 2_000

test('Customer.io does not answer: after the time is up no request begins, also none after a shared one', async () => {
  h.fake.misbehave({ kind: 'hang' })
  // Many lanes with one intent each share a request. When it has failed, each would send its own.
  await h.enqueue(...Array.from({ length: 30 }, (_, n) => track(`u${n}`, n)))
  const [forMs, requestTimeoutMs] = [3_000, 4_000]
  const breaker = { failures: 1_000 }
  const running = run({ forMs, requestTimeoutMs, breaker, retry: { maxRetries: 5 } })
  await delay(forMs + 500) // the time is up, and no request has ended
  const { requests } = h.fake.counts
  expect(requests).toBeGreaterThan(0)
  const result = await running
  expect(result).toMatchObject({
    outcome: 'time_is_up',
    delivered: 0,
    left: [{ pending: 30, state: 'closed' }],
  })
  expect(result.milliseconds).toBeLessThan(boundMs(forMs, requestTimeoutMs))
  expect(h.fake.counts.requests).toBe(requests)
  expect(await queued()).toHaveLength(30)
})

test('the region check does not answer: the time counts, and nothing is sent', async () => {
  h.fake.misbehave({ kind: 'hang' })
  await h.enqueue(track('u1', 1))
  const result = await run({ checkRegion: true, forMs: 500, requestTimeoutMs: 1_500 })
  expect(result).toMatchObject({ outcome: 'time_is_up', delivered: 0, left: [{ pending: 1 }] })
  expect(result.milliseconds).toBeLessThan(boundMs(500, 1_500))
  expect(h.fake.counts.operations).toBe(0)
})

test('the chunk of a bulk action takes long: the drain does not wait for it, and another one completes the action', async () => {
  const op = operate(h)
  await op.deadLetters(track('u1', 1))
  const id = await op.apply('discard', { operation: 'track' })
  const holder = await h.db.begin()
  await holder.query('SELECT FROM outbox.dead_letters FOR UPDATE')
  const result = await run({ forMs: 2_000, requestTimeoutMs: 500 })
  expect(result).toMatchObject({ outcome: 'time_is_up', left: [], openActions: 1 })
  expect(result.milliseconds).toBeLessThan(boundMs(2_000, 500))
  await holder.query('ROLLBACK')
  holder.release()
  expect(await run({ forMs: 30_000 })).toMatchObject({ outcome: 'empty', openActions: 0 })
  expect(await op.status(id)).toMatchObject({ state: 'done', processed: '1' })
})

test('the database falls silent: the drain gives up within its bound, and the next one sends the rest', async () => {
  const proxy = await startTcpProxy(h.db.url)
  const [person = ''] = await peopleOfOneLane(h.db, 'default/track', 1)
  h.fake.latencyMs = 200
  await h.enqueue(...Array.from({ length: 100 }, (_, n) => track(person, n)))
  const [forMs, requestTimeoutMs] = [2_500, 1_000]
  const startedAt = performance.now()
  const connectionString = proxy.url(h.db.url)
  const running = run({ connectionString, forMs, requestTimeoutMs, batchSize: 10 })
  running.catch(() => {}) // awaited below
  await h.fake.until(({ counts }) => counts.applied > 0)
  proxy.setNew(HALF_OPEN)
  proxy.set(HALF_OPEN)
  await expect(running).rejects.toThrow(/^The database does not answer: the drain gave up after \d/)
  expect(performance.now() - startedAt).toBeLessThan(boundMs(forMs, requestTimeoutMs))
  await proxy.close()
  h.fake.latencyMs = 0
  expect(await run({ forMs: 40_000 })).toMatchObject({ outcome: 'empty' })
  expect(h.fake.counts.applied).toBe(100)
})

test('no database, and one without the schema: the error is that of a relay, and nothing stays open', async () => {
  await expect(run({ connectionString: 'postgres://127.0.0.1:1/x' })).rejects.toMatchObject({
    code: 'ECONNREFUSED',
  })
  const empty = await createTestDatabase('empty')
  await expect(run({ connectionString: empty.url })).rejects.toThrow(
    'The schema "outbox" does not exist: run `customerio-outbox migrate`',
  )
  const connections = () =>
    empty.rows(
      "SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'customerio-outbox%'",
    )
  await eventually('closed connections', async () => (await connections()).length === 0, 2_000)
  await empty.drop()
})

test('a copied database is refused, also if its queue is empty, until one drain accepts it', async () => {
  await h.db.rows('UPDATE outbox.origin SET database_oid = 1')
  await expect(run()).rejects.toMatchObject({ name: 'CopiedDatabaseError' })
  expect(await run({ acceptCopy: true })).toMatchObject({ outcome: 'empty' })
  await h.enqueue(track('u1', 1))
  expect(await run()).toMatchObject({ outcome: 'empty', delivered: 1 })
})

test('a workspace of another region is refused before anything is sent', async () => {
  await h.enqueue(track('u1', 1))
  const customerio = { ...everyApi(h.fake), region: 'eu' as const }
  await expect(run({ customerio, checkRegion: true })).rejects.toMatchObject({ name: 'WrongRegionError' })
  expect(h.fake.counts.operations).toBe(0)
  expect(await queued()).toHaveLength(1)
})

test('the rights of outbox_relay are enough', async () => {
  const login = await createLoginRole(h.db, 'outbox_relay')
  await h.db.rows("SELECT outbox.pause('default/app', 'ticket 1234')")
  await h.enqueue(track('u1', 1), email('u1', 1))
  expect(await run({ connectionString: login.url })).toMatchObject({ outcome: 'stopped', delivered: 1 })
  await login.drop()
})
