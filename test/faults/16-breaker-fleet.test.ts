import { afterEach, beforeEach, expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { type Harness, startHarness, stepOf, track } from '../support/relay-harness.ts'
import { type RelayProcess, startRelayProcess } from '../support/relay-process.ts'
import { accountFor, breakerState, findings, transitions } from './support/account.ts'
import { type Gateway, type Passage, startGateway } from './support/gateway.ts'

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
  relays.every(({ log }) => log.some((line) => line.message === 'breaker changed' && line.to === to))
/** Every relay has said that it is open, and no lane is worked any more: what was under way has ended. */
const seenOpenByAll = () =>
  eventually('all to see it open', async () => {
    const worked = await h.db.rows("SELECT 1 FROM outbox_pgboss.job WHERE state = 'active'")
    return all('open') && worked.length === 0 && gateway.inFlight === 0
  })
const people = (count: number) => Array.from({ length: count }, (_, n) => track(`u${n % 60}`, n))
const beside = (one: Passage) =>
  gateway.passages.filter(
    (other) =>
      other !== one && other.startedAt < Number(one.endedAt) && Number(other.endedAt) > one.startedAt,
  )

test('16: four relays: the breaker opens for all, one request at a time is under way while it is half-open, it closes for all', async () => {
  // Few lanes each, so that all four have one at hand when the probe is due.
  await start(4, '--lanes', '3', '--breaker-half-open-after', '0.8', '--breaker-max-half-open-after', '0.8')
  const recover = h.fake.misbehave({ kind: 'outage' })
  const ids = await h.enqueue(...people(600))
  await eventually(
    'all four to see it open, and the last answer',
    () => all('open') && gateway.inFlight === 0,
  )
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
    // An outage is no time for a batch: one intent, too.
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

test('16: it stays open when every relay is killed and others start: none sends before the probe is due', async () => {
  const flags = ['--breaker-half-open-after', '7', '--breaker-max-half-open-after', '7']
  await start(2, ...flags)
  h.fake.misbehave({ kind: 'outage' })
  const ids = await h.enqueue(...people(200))
  await seenOpenByAll() // a lane whose relay died within its turn would wait for the heartbeat: another scenario
  const before = await breakerState(h)
  await killAll()
  h.fake.behave()
  const mark = gateway.passages.length
  await start(2, ...flags)
  ids.push(...(await h.enqueue(...people(50))))
  await eventually('the new ones to see it open', () => all('open'))
  expect(gateway.passages).toHaveLength(mark)
  expect((await breakerState(h))?.retry_at).toEqual(before?.retry_at)
  await h.drained()
  const sent = h.fake.requests.recent
    .filter(({ status }) => status === 200)
    .map(({ receivedAt }) => receivedAt)
  expect(Math.min(...sent)).toBeGreaterThanOrEqual(Number(before?.retry_at))
  expect(await transitions(h)).toEqual(['closed>open', 'open>half_open', 'half_open>closed'])
  expect(await accountFor(h, ids)).toMatchObject({ delivered: 250, dead: 0 })
  expect(h.fake.counts).toMatchObject({ duplicates: 0 })
  expect(await findings(h, ids)).toEqual([])
})
