import { afterEach, beforeEach, expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { everyApi, type Harness, startHarness, stepOf, track } from '../support/relay-harness.ts'
import { type RelayProcess, startRelayProcess } from '../support/relay-process.ts'
import { accountFor, breakerState, findings, transitions } from './support/account.ts'
import { type Gateway, type Intercepted, type Passage, startGateway } from './support/network/gateway.ts'

/*
 * Guards the row in `outbox.breakers`, which gives the fleet one breaker.
 * A test fails after each of these changes:
 * - if `acquireProbe` gives the probe to every relay while the breaker is half-open: two requests are in flight;
 * - if relays do not read the row: other relays send whole batches beside the probe, and restarted relays send before the
 *   probe is due;
 * - if a probe sends the whole batch: 30 intents instead of 1;
 * - if `removeRelay` does not release the probe: the next relay waits for the end of the lease;
 * - if the state is not checked before each request (`#sendIfAllowed`): another relay retries a batch, and its lane stays
 *   busy.
 */

let h: Harness
let gateway: Gateway
const relays: RelayProcess[] = []
beforeEach(async () => {
  h = await startHarness({ sequenceOf: stepOf })
  gateway = await startGateway(h.fake)
})
afterEach(async () => {
  await killAll()
  await gateway.close()
  await h.close()
})

const start = async (count: number, ...flags: string[]) => {
  const started = Array.from({ length: count }, () => startRelayProcess(h.db.url, gateway.url, ...flags))
  for (const relay of await Promise.all(started)) relays.push(relay)
}
const killAll = async () => {
  const running = relays.splice(0).filter(({ child }) => child.exitCode === null && child.signalCode === null)
  await Promise.all(running.map((relay) => relay.kill('SIGKILL')))
}
const all = (to: string) =>
  relays.every(({ log }) =>
    log.some((line) => /^breaker (changed|found)$/.test(String(line.message)) && line.to === to),
  )
const lanesWorked = async () =>
  (await h.db.rows("SELECT 1 FROM outbox_pgboss.job WHERE state = 'active'")).length
const untilNoLaneIsWorked = () =>
  eventually('every lane to be handed back', async () => (await lanesWorked()) === 0)

/** Waits until every relay has logged the open breaker, no relay works on a lane, and no request is in flight. */
const seenOpenByAll = () =>
  eventually('all relays to see it open', async () => {
    return all('open') && (await lanesWorked()) === 0 && gateway.inFlight === 0
  })
const people = (count: number) => Array.from({ length: count }, (_, n) => track(`u${n % 60}`, n))
const beside = (one: Passage) =>
  gateway.passages.filter(
    (other) =>
      other !== one && other.startedAt < Number(one.endedAt) && Number(other.endedAt) > one.startedAt,
  )

test('16: the breaker opens for all four relays, one request at a time is in flight while it is half-open, and it closes for all', async () => {
  // Few workers each, so that all four relays have a lane when the probe is due.
  await start(4, '--workers', '3', '--breaker-half-open-after', '0.8', '--breaker-max-half-open-after', '0.8')
  const recover = h.fake.misbehave({ kind: 'outage' })
  const ids = await h.enqueue(...people(600))
  await seenOpenByAll()
  const mark = gateway.passages.length
  h.fake.latencyMs = 60 // long enough for a second prober to be seen beside the first
  await eventually(
    'failed probes',
    () => gateway.passages.slice(mark).filter(({ status }) => status === 503).length >= 2,
  )
  recover()
  await eventually('all four to see it closed', () => all('closed'))
  await h.drained()

  const probes = gateway.passages.slice(mark)
  const third = probes.findIndex(
    (_, n) => probes.slice(0, n + 1).filter(({ status }) => status === 200).length === 3,
  )
  for (const probe of probes.slice(0, third + 1)) {
    expect(beside(probe)).toEqual([])
    // Each probe is one intent.
    expect(JSON.parse(probe.body.toString()).batch).toHaveLength(1)
  }
  expect((await transitions(h)).filter((t) => t === 'half_open>closed')).toHaveLength(1)
  expect((await transitions(h)).filter((t) => t === 'closed>open')).toHaveLength(1)
  const [opened] = await h.db.rows(
    'SELECT reason, relay_id FROM outbox.breaker_transitions ORDER BY ordinal LIMIT 1',
  )
  expect(opened).toEqual({ reason: expect.stringContaining('503'), relay_id: expect.any(String) })
  expect(await accountFor(h, ids)).toMatchObject({ delivered: 600, dead: 0 })
  expect(h.fake.counts).toMatchObject({ applied: 600, duplicates: 0, outOfOrder: 0 })
  expect(await findings(h, ids)).toEqual([])
})

test('16: the breaker stays open if every relay is killed and new ones start: none sends before the probe is due', async () => {
  const flags = ['--breaker-half-open-after', '600', '--breaker-max-half-open-after', '600']
  await start(2, ...flags)
  h.fake.misbehave({ kind: 'outage' })
  const ids = await h.enqueue(...people(200))
  await seenOpenByAll() // no relay may die within a turn: its lane would wait for a missed heartbeat, which is another scenario
  const before = await breakerState(h)
  await killAll()
  h.fake.behave()
  const mark = gateway.passages.length
  ids.push(...(await h.enqueue(...people(50))))
  await h.db.rows("SELECT setval('outbox.notify_flag', 1)")
  await start(2, ...flags)
  await eventually('the new relays to have polled', async () => {
    const [flag] = await h.db.rows<{ last_value: string }>('SELECT last_value FROM outbox.notify_flag')
    return all('open') && flag?.last_value === '2'
  })
  expect(gateway.passages).toHaveLength(mark)
  expect(await breakerState(h)).toEqual(before)
  await h.db.rows('UPDATE outbox.breakers SET retry_at = clock_timestamp()') // as if ten minutes had passed
  await h.drained()
  expect(await transitions(h)).toEqual(['closed>open', 'open>half_open', 'half_open>closed'])
  expect(await accountFor(h, ids)).toMatchObject({ delivered: 250, dead: 0 })
  expect(h.fake.counts).toMatchObject({ applied: 250, duplicates: 0 })
  expect(await findings(h, ids)).toEqual([])
})

test('16: a relay that stops while it probes releases the probe: the next relay does not wait for the end of the lease', async () => {
  const first = await h.relay({
    breaker: { failures: 1, successes: 3, halfOpenAfterMs: 200, maxHalfOpenAfterMs: 200 },
  })
  h.fake.misbehave({ kind: 'outage', times: 1 })
  const ids = await h.enqueue(track('u1', 1))
  await h.drained() // one success of three
  expect(await breakerState(h)).toMatchObject({ state: 'half_open' })
  await first.stop()
  await h.relay()
  ids.push(...(await h.enqueue(...people(200))))
  await h.drained(15_000) // a lease is 30 s
  expect(await breakerState(h)).toMatchObject({ state: 'closed' })
  expect(await findings(h, ids)).toEqual([])
})

test('16: a relay whose request fails after another relay has opened the breaker does not retry', async () => {
  const [here, there] = await h.db.rows<{ id: string }>(
    `SELECT DISTINCT ON (outbox.lane_of('default/track', 'p' || n, 'normal')) 'p' || n AS id FROM generate_series(1, 99) n`,
  )
  const never = { successes: 3, halfOpenAfterMs: 3_600_000, maxHalfOpenAfterMs: 3_600_000 }
  const settings = {
    customerio: everyApi(gateway),
    requestTimeoutMs: 20_000,
    retry: { maxRetries: 2, initialDelayMs: 5 },
  }
  const held: Intercepted[] = []
  gateway.intercept((intercepted) => held.push(intercepted))
  const busy = await h.relay({ ...settings, workers: 1, breaker: { failures: 5, ...never } })
  const states: string[] = []
  busy.on('breaker', ({ to }) => states.push(to))
  const ids = await h.enqueue(track(here?.id ?? '', 1))
  await eventually('its request', () => held.length === 1)
  await h.relay({ ...settings, breaker: { failures: 1, ...never } })
  ids.push(...(await h.enqueue(track(there?.id ?? '', 1))))
  await eventually('a request of the other relay', () => held.length === 2)
  held[1]?.response.writeHead(503).end()
  await eventually('the notification', () => states.includes('open'))
  held[0]?.response.writeHead(503).end()
  await untilNoLaneIsWorked()
  expect(gateway.passages).toHaveLength(2)
  expect(await accountFor(h, ids)).toEqual({ delivered: 0, dead: 0, pending: 2, attempts: 0 })
})
