import { afterEach, beforeEach, expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { type Harness, startHarness, stepOf, track } from '../support/relay-harness.ts'
import { type RelayProcess, startRelayProcess } from '../support/relay-process.ts'

let h: Harness
let processes: RelayProcess[]
beforeEach(async () => {
  h = await startHarness({ sequenceOf: stepOf })
  processes = []
})
afterEach(async () => {
  for (const { child } of processes) child.kill('SIGKILL')
  await h.close()
})

async function relay(): Promise<RelayProcess> {
  const process = await startRelayProcess(h.db.url, h.fake.url)
  processes.push(process)
  return process
}

test('a relay killed after Customer.io took a batch and before it settled: another sends it again, applied once', async () => {
  const victim = await relay()
  h.fake.latencyMs = 20_000 // applied on arrival, answered too late
  await h.enqueue(...Array.from({ length: 300 }, (_, n) => track(`u${n % 30}`, n)))
  await eventually('the first request', () => h.fake.counts.applied > 0)
  await victim.kill('SIGKILL')
  const killedAt = performance.now()
  h.fake.latencyMs = 0
  await relay()
  await h.drained(20_000)
  expect(performance.now() - killedAt).toBeLessThan(20_000)
  expect(h.fake.counts).toMatchObject({ applied: 300, outOfOrder: 0 })
  expect(h.fake.counts.duplicates).toBeGreaterThan(0)
  expect(h.fake.duplicates.every(({ sameBody }) => sameBody)).toBe(true)
  const fleet = () => h.db.rows<{ lanes_held: number }>('SELECT lanes_held FROM outbox.relay_fleet')
  expect((await fleet()).length).toBe(2)
})

test('SIGTERM in the middle of a drain: exits 0, hands its lanes over at once, loses nothing', async () => {
  h.fake.latencyMs = 100
  const first = await relay()
  await h.enqueue(...Array.from({ length: 5_000 }, (_, n) => track(`u${n % 100}`, n)))
  await eventually('a request', () => h.fake.counts.applied > 0)
  expect(await first.kill('SIGTERM')).toEqual({ code: 0, signal: null })
  h.fake.latencyMs = 0
  await relay()
  await h.drained(8_000) // less than a heartbeat: nothing waited for the first relay to be missed
  expect(h.fake.counts).toMatchObject({ applied: 5_000, duplicates: 0, outOfOrder: 0 })
})
