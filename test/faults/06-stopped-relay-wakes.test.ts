/**
 * The test fails without the fence in `settle`: the late settle takes its 10 intents out of the queue while the other
 * relay is sending them.
 */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { peopleOfOneLane } from '../support/relay-harness.ts'
import { lanesOf, watchLanes } from './support/lane-watch.ts'
import { logSettles } from './support/settle-log.ts'
import { type Stage, startStage } from './support/stage.ts'
import { TAKEOVER_MS } from './support/takeover.ts'

let s: Stage
beforeEach(async () => {
  s = await startStage({ keepRequests: 10_000 })
})
afterEach(() => s.close())

test('6: the fence refuses the late settle of a relay that was stopped until another relay had taken its lane', async () => {
  const people = await peopleOfOneLane(s.db, 'default/track', 3)
  const watch = watchLanes(s.fake, await lanesOf(s.db, people))
  const settles = await logSettles(s.db)
  const writer = s.writer('w')
  for (let n = 0; n < 100; n++) await writer.transact({ steps: people.map((person) => ({ person })) })

  s.fake.latencyMs = 30
  const sleeper = await s.child({ batchSize: 10, requestTimeoutMs: 60_000 })
  await s.fake.until(({ counts }) => counts.applied >= 50)
  s.fake.latencyMs = 1_500
  const { total } = s.fake.requests
  await s.fake.until(({ requests }) => requests.total > total) // the first slow request
  const { ordinal } = lastRequest()
  await sleeper.freeze()
  const frozenAt = performance.now()
  expect(lastRequest()).toMatchObject({ ordinal, status: undefined })
  await eventually(
    'an answer that waits in the socket of the stopped relay',
    () => lastRequest().status === 200,
  )
  const before = await settles.read()

  // The other relay claims the lane. Its first request is still in flight when the stopped relay wakes.
  s.fake.latencyMs = 3_000
  await s.relay({ batchSize: 10, requestTimeoutMs: 60_000 })
  await s.fake.until(({ requests }) => requests.total > ordinal, { timeoutMs: TAKEOVER_MS })
  expect(performance.now() - frozenAt).toBeLessThan(TAKEOVER_MS)
  sleeper.wake()
  await eventually('the late settle', async () => (await settles.read()).length > before.length)
  expect(isOpen()).toBe(true)
  expect(await settles.read()).toEqual([...before, 0])

  s.fake.latencyMs = 0
  await s.drained()
  expect(await s.verdict()).toMatchObject({ delivered: 300, resent: 10, findings: [] })
  expect(watch.overlaps).toEqual([])
})

function lastRequest() {
  const last = s.fake.requests.recent.at(-1)
  if (!last) throw new Error('no request has come')
  return last
}

function isOpen(): boolean {
  return lastRequest().status === undefined
}
