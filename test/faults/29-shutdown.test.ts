/**
 * A test fails after each of these changes:
 * - if `#stop` of src/relay/relay.ts does not wait for the dispatcher, the connections close during the first test's
 *   request, and nothing is settled;
 * - without the second signal's `process.exit` (src/cli/process/shutdown.ts) the second test times out;
 * - if `#start` does not check `#ending`, the relay of the third test takes a lane;
 * - without `#drain` the relays of the last three tests log nothing about the backlog;
 * - if `judgeQueue` finds no stopped destination, or does not wait for a probe that is due in time, the fifth test fails;
 * - if `waitUntilDrained` ignores its deadline, the command's own deadline ends the sixth test's relay with status 1.
 */
import { once } from 'node:events'
import { createServer } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type CliProcess, startCli } from '../support/cli.ts'
import { eventually } from '../support/eventually.ts'
import { type Harness, peopleOfOneLane, startHarness, stepOf, track } from '../support/relay-harness.ts'

let h: Harness
const processes: CliProcess[] = []
beforeEach(async () => {
  h = await startHarness({ sequenceOf: stepOf })
})
afterEach(async () => {
  for (const { child } of processes.splice(0)) child.kill('SIGKILL')
  await h.close()
})

function launch(trackUrl: string, ...flags: string[]): CliProcess {
  const relay = startCli(['relay', ...flags], {
    DATABASE_URL: h.db.url,
    CUSTOMERIO_SITE_ID: 'site',
    CUSTOMERIO_TRACK_API_KEY: 'key',
    CUSTOMERIO_TRACK_URL: trackUrl,
  })
  processes.push(relay)
  return relay
}

async function started(...flags: string[]): Promise<CliProcess> {
  const relay = launch(h.fake.url, '--no-check-region', ...flags)
  await relay.printed(/"message":"started"/)
  return relay
}

const held = () => h.db.rows('SELECT 1 FROM outbox.lanes WHERE relay_id IS NOT NULL')
const pending = () => h.db.rows('SELECT 1 FROM outbox.intents')

test('29: a relay that gets SIGTERM mid-batch finishes the requests in flight, hands its lanes back, and exits with 0 before its deadline', async () => {
  h.fake.latencyMs = 300
  const first = await started('--batch-size', '100')
  await h.enqueue(...Array.from({ length: 5_000 }, (_, n) => track(`u${n % 100}`, n)))
  await eventually('a request', () => h.fake.counts.applied > 0)
  first.child.kill('SIGTERM')
  expect((await first.ended()).status).toBe(0)
  expect(h.fake.counts.applied).toBeLessThan(5_000)
  expect((await h.db.rows('SELECT 1 FROM outbox.delivered')).length).toBe(h.fake.counts.applied)
  expect(await held()).toEqual([])
  h.fake.latencyMs = 0
  await started()
  await h.drained(8_000) // less than the time after which a heartbeat is missed
  expect(h.fake.counts).toMatchObject({ applied: 5_000, duplicates: 0, outOfOrder: 0 })
})

test('29: a second SIGTERM ends the process at once', async () => {
  h.fake.misbehave({ kind: 'hang' })
  const relay = await started('--request-timeout', '60', '--shutdown-timeout', '60')
  await h.enqueue(track('u1', 0))
  await h.fake.until(() => h.fake.counts.requests === 1)
  relay.child.kill('SIGTERM')
  await relay.printed(/"signal":"SIGTERM","message":"stopping"/)
  relay.child.kill('SIGTERM')
  expect((await relay.ended()).status).toBe(143)
})

test('29: a relay that gets SIGTERM while it starts takes no lane, leaves no connection, and exits with 0', async () => {
  await h.enqueue(track('u1', 0))
  // The server does not answer the region check: start() lasts as long as a request may take.
  const silent = createServer().listen(0, '127.0.0.1')
  await once(silent, 'listening')
  const asked = once(silent, 'connection')
  const { port } = silent.address() as { port: number }
  const relay = launch(`http://127.0.0.1:${port}`, '--request-timeout', '2')
  const [socket] = await asked
  relay.child.kill('SIGTERM')
  const { status, stdout } = await relay.ended()
  socket.destroy()
  silent.close()
  expect(status).toBe(0)
  expect(stdout).not.toContain('"message":"started"')
  expect(await pending()).toHaveLength(1)
  expect(await h.db.rows('SELECT 1 FROM outbox.lanes')).toEqual([])
  expect(await h.db.rows('SELECT 1 FROM outbox.relay_fleet')).toEqual([])
  const connections = () =>
    h.db.rows(
      "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'customerio-outbox relay%'",
    )
  await eventually('closed connections', async () => (await connections()).length === 0)
})

test('29: with --drain a relay first empties the backlog, including intents that are written meanwhile', async () => {
  h.fake.latencyMs = 100
  const people = await peopleOfOneLane(h.db, 'default/track', 10)
  const relay = await started('--drain', '--batch-size', '50', '--request-timeout', '1')
  await h.enqueue(...Array.from({ length: 500 }, (_, n) => track(people[n % 10] as string, n)))
  await h.fake.until(() => h.fake.counts.applied > 0)
  relay.child.kill('SIGTERM')
  await relay.printed(/"message":"stopping"/)
  await h.enqueue(track(people[0] as string, 1_000))
  const { status, stdout } = await relay.ended()
  expect(status).toBe(0)
  expect(stdout).toContain('"message":"backlog drained"')
  expect(await pending()).toEqual([])
  expect(h.fake.counts).toMatchObject({ applied: 501, duplicates: 0, outOfOrder: 0 })
})

test('29: with --drain in an outage a relay ends its drain when the breaker is open for longer, loses nothing, and exits with 0', async () => {
  h.fake.misbehave({ kind: 'outage' })
  await h.enqueue(track('u1', 0))
  const flags = ['--shutdown-timeout', '12', '--request-timeout', '1', '--breaker-half-open-after', '5']
  const relay = await started('--drain', ...flags)
  await relay.printed(/"to":"open","message":"breaker changed"/)
  const { retry_at: retryAt } =
    (await h.db.rows<{ retry_at: Date }>('SELECT retry_at FROM outbox.breakers'))[0] ?? {}
  relay.child.kill('SIGTERM')
  await relay.printed(/"message":"stopping"/)
  // The first probe is due within the 11 s of the drain, so the relay waits for it. The second one is due 10 s later.
  const { status, stdout } = await relay.ended()
  expect(Date.now()).toBeGreaterThanOrEqual(Number(retryAt))
  expect(status).toBe(0)
  expect(stdout).toContain('"lanesLeft":1,"message":"drain ended; every destination with intents is stopped')
  expect(await pending()).toHaveLength(1)
  expect(await held()).toEqual([])
})

test('29: with --drain while Customer.io fails and the breaker stays closed, the drain times out, and the relay exits with 0', async () => {
  h.fake.misbehave({ kind: 'outage' })
  await h.enqueue(track('u1', 0))
  const relay = await started(
    '--drain',
    '--shutdown-timeout',
    '4',
    '--request-timeout',
    '1',
    '--breaker-failures',
    '999',
  )
  await h.fake.until(() => h.fake.counts.requests > 0)
  relay.child.kill('SIGTERM')
  const { status, stdout } = await relay.ended()
  expect(status).toBe(0)
  expect(stdout).toContain('"lanesLeft":1,"message":"drain timed out')
  expect(await pending()).toHaveLength(1)
  expect(await held()).toEqual([])
})
