import { afterEach, beforeEach, expect, test } from 'vitest'
import { type DrainOptions, drain } from '../../src/relay.ts'
import { type CliProcess, startCli } from '../support/cli.ts'
import { eventually } from '../support/eventually.ts'
import { operate } from '../support/operate.ts'
import {
  everyApi,
  type Harness,
  peopleOfOneLane,
  QUICK,
  startHarness,
  stepOf,
  track,
} from '../support/relay-harness.ts'

let h: Harness
const processes: CliProcess[] = []
beforeEach(async () => {
  h = await startHarness({ sequenceOf: stepOf })
})
afterEach(async () => {
  for (const { child } of processes.splice(0)) child.kill('SIGKILL')
  await h.close()
})

/** On a busy machine an answer may take more than a second. A request that times out is sent again: a duplicate. */
const PATIENT = { ...QUICK, requestTimeoutMs: 10_000 }
const run = (options: Partial<DrainOptions> = {}) =>
  drain({ connectionString: h.db.url, customerio: everyApi(h.fake), ...PATIENT, ...options })
const steps = (people: number, count: number, from = 0) =>
  Array.from({ length: count }, (_, n) => track(`u${n % people}`, from + n))
const held = () => h.db.rows('SELECT FROM outbox.lanes WHERE relay_id IS NOT NULL')

/** Starts a drain in a process of its own, and kills it while requests are in flight. */
async function killDrain(): Promise<void> {
  h.fake.latencyMs = 60_000
  const killed = startCli(['drain', '--no-check-region'], {
    DATABASE_URL: h.db.url,
    CUSTOMERIO_SITE_ID: 'site',
    CUSTOMERIO_TRACK_API_KEY: 'key',
    CUSTOMERIO_TRACK_URL: h.fake.url,
  })
  processes.push(killed)
  await h.fake.until(({ counts }) => counts.requests > 0, { timeoutMs: 30_000 })
  killed.child.kill('SIGKILL')
  await killed.ended()
  h.fake.latencyMs = 0
  expect((await held()).length).toBeGreaterThan(0)
}

test('two drains at once share the lanes: everything is delivered once and in order, and both end empty', async () => {
  h.fake.latencyMs = 300 // long enough for both to start
  await h.enqueue(...steps(100, 2_000))
  const half = { batchSize: 20, workers: 8 } // each takes half of the 16 lanes
  const [a, b] = await Promise.all([run(half), run(half)])
  expect([a.outcome, b.outcome]).toEqual(['empty', 'empty'])
  expect(a.delivered + b.delivered).toBe(2_000)
  expect(Math.min(a.delivered, b.delivered)).toBeGreaterThan(0)
  expect(h.fake.counts).toMatchObject({ applied: 2_000, duplicates: 0, outOfOrder: 0 })
})

test('a drain beside a relay shares its work, and does not turn off its wake-ups', async () => {
  const flag = async () =>
    (await h.db.rows<{ value: number }>('SELECT last_value::int AS value FROM outbox.notify_flag'))[0]?.value
  const relay = await h.relay({ ...PATIENT, batchSize: 10, workers: 1 })
  await eventually('wake-ups', async () => (await flag()) === 2)
  let fromRelay = 0
  relay.on('settled', ({ delivered }) => {
    fromRelay += delivered
  })
  h.fake.latencyMs = 50
  const [person = ''] = await peopleOfOneLane(h.db, 'default/track', 1)
  await h.enqueue(...Array.from({ length: 100 }, (_, n) => track(person, n)))
  await h.fake.until(({ counts }) => counts.applied > 0)
  await h.enqueue(...steps(50, 500, 1_000))
  const { outcome, delivered } = await run({ batchSize: 10 })
  expect(outcome).toBe('empty')
  expect(delivered).toBeGreaterThan(0)
  expect(fromRelay).toBeGreaterThan(0)
  expect(fromRelay + delivered).toBe(600)
  expect(h.fake.counts).toMatchObject({ applied: 600, duplicates: 0, outOfOrder: 0 })
  expect(await flag()).toBe(2)
  expect(await h.db.rows('SELECT relay_id FROM outbox.relays')).toEqual([{ relay_id: relay.relayId }])
})

test('a drain carries out bulk actions of operators, and says which are not done when its time is up', async () => {
  const op = operate(h)
  await op.deadLetters(track('u1', 1), track('u2', 2))
  const redrive = await op.apply('redrive', { operation: 'track' })
  expect(await run()).toMatchObject({ outcome: 'empty', delivered: 2, openActions: 0 })
  expect(await op.status(redrive)).toMatchObject({ state: 'done', processed: '2' })

  await op.deadLetters(...steps(5, 101))
  const slow = await op.apply('discard', { operation: 'track' }, { rate: 20 })
  expect(await run({ forMs: 3_000 })).toMatchObject({ outcome: 'time_is_up', left: [], openActions: 1 })
  const { state, processed } = await op.status(slow)
  expect(state).toBe('running')
  expect(Number(processed)).toBeGreaterThan(0)
  expect(Number(processed)).toBeLessThan(101)
  expect(await run()).toMatchObject({ outcome: 'empty', openActions: 0 })
  expect(await op.status(slow)).toMatchObject({ state: 'done', processed: '101' })
})

test('a drain alone turns off wake-ups that a killed relay left on', async () => {
  await h.db.rows("SELECT setval('outbox.notify_flag', 2)")
  await h.enqueue(track('u1', 1))
  await run()
  expect(await h.db.rows('SELECT last_value::int AS value FROM outbox.notify_flag')).toEqual([{ value: 1 }])
})

test('a drain that is killed: the next one takes over its lanes and delivers everything once', async () => {
  await h.enqueue(...steps(20, 200))
  await killDrain()
  await h.enqueue(...steps(20, 20, 1_000))
  const next = await run({ forMs: 40_000 })
  expect(next).toMatchObject({ outcome: 'empty', left: [] })
  expect(h.fake.counts).toMatchObject({ applied: 220, outOfOrder: 0 })
  expect(await held()).toEqual([])
})

test('drains that are too short to tell that a worker is dead go on where the last one ended', async () => {
  const [person = ''] = await peopleOfOneLane(h.db, 'default/track', 1)
  await h.enqueue(track(person, 1))
  await killDrain()
  let runs = 0
  for (let outcome = ''; outcome !== 'empty'; runs++) {
    expect(runs).toBeLessThan(30)
    outcome = (await run({ forMs: 1_500 })).outcome
  }
  expect(runs).toBeGreaterThan(2)
  expect(h.fake.counts).toMatchObject({ applied: 1, outOfOrder: 0 })
})
