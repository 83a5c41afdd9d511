/**
 * Tests fail without the second try of `#onQueue` (lane-jobs.ts): every poll fails with "Queue … does not exist", and
 * delivery stops.
 */
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest'
import { migrate } from '../../src/store/migrate/migrate.ts'
import { type Harness, startHarness, stepOf, track } from '../support/relay-harness.ts'
import { startPair } from './support/servers/failover.ts'

const WITHIN_MS = 5_000

let h: Harness
let errors: string[]
beforeEach(async () => {
  h = await startHarness({ sequenceOf: stepOf })
  errors = []
})
afterEach(() => h.close())

async function startRelay() {
  const relay = await h.relay()
  relay.on('error', ({ message }) => errors.push(message))
}

async function delivered(count: number) {
  await h.fake.until(({ counts }) => counts.applied === count, { timeoutMs: WITHIN_MS })
}

/** Deletes rows, like a failover to a replica that had not received them. */
async function lose(...statements: string[]) {
  await h.db.transaction(async (tx) => {
    for (const statement of statements) await tx.query(statement)
  })
}

test('37: delivery continues without a restart after a failover that loses the queues and all jobs', async () => {
  await startRelay()
  await startRelay()
  await h.enqueue(track('ada', 1))
  await delivered(1)
  await lose('DELETE FROM outbox_pgboss.job', 'DELETE FROM outbox_pgboss.queue')
  await h.enqueue(track('ada', 2), ...Array.from({ length: 20 }, (_, n) => track(`p${n}`, 1)))
  await delivered(22)
  await lose('DELETE FROM outbox_pgboss.job', 'DELETE FROM outbox_pgboss.queue')
  await h.enqueue(track('ada', 3))
  await delivered(23)
  expect(h.fake.counts).toMatchObject({ applied: 23, duplicates: 0, outOfOrder: 0 })
  expect(errors).toEqual([])
})

test('37: the destination is probed and its lanes continue if a queue is lost while the breaker is open', async () => {
  await startRelay()
  const endOutage = h.fake.misbehave({ kind: 'outage' })
  await h.enqueue(...Array.from({ length: 20 }, (_, n) => track(`p${n}`, 1)))
  await h.fake.until(({ requests }) => requests.total >= 5)
  await lose('DELETE FROM outbox_pgboss.job', 'DELETE FROM outbox_pgboss.queue')
  endOutage()
  await delivered(20)
})

test('37: if the job of a lane is lost during a request, nothing is sent twice, and the lane continues', async () => {
  await startRelay()
  h.fake.misbehave({ kind: 'latency', ms: 800, times: 1 })
  await h.enqueue(track('ada', 1))
  await h.fake.until(({ requests }) => requests.total === 1)
  await lose('DELETE FROM outbox_pgboss.job')
  await delivered(1)
  await h.enqueue(track('ada', 2))
  await delivered(2)
  expect(h.fake.counts).toMatchObject({ applied: 2, duplicates: 0 })
})

test("37: a relay that finds no row of pg-boss' version when it starts says how to repair that, and the repair works", async () => {
  await lose('DELETE FROM outbox_pgboss.version')
  await expect(h.relay()).rejects.toThrow(
    /lost the row of its version: drop it \(DROP SCHEMA "outbox_pgboss" CASCADE/,
  )
  await lose('DROP SCHEMA outbox_pgboss CASCADE')
  await migrate({ connectionString: h.db.url })
  await h.relay()
  await h.enqueue(track('ada', 1))
  await delivered(1)
})

test('37: delivery continues without a restart after a failover to a standby that had not received the queue', async () => {
  const pair = await startPair()
  onTestFinished(() => pair.close())
  const failing = await startHarness({ sequenceOf: stepOf }, await pair.createDatabase())
  onTestFinished(() => failing.close())
  await failing.relay()
  await pair.lag()
  await failing.enqueue(track('ada', 1)) // creates the queue, only on the primary
  await failing.fake.until(({ counts }) => counts.applied === 1)
  await pair.failover()
  expect(await failing.db.rows('SELECT FROM outbox_pgboss.queue')).toEqual([])
  await failing.enqueue(track('ada', 2))
  await failing.fake.until(({ counts }) => counts.applied === 2)
})
