/**
 * A test fails after each of these changes:
 * - if `onServer` in write-horizon.ts does not compare the server, the watermark of the second test rises to a number of
 *   the former server, above the event that commits later;
 * - if neither the fence nor the write horizon names its server, the first test delivers the person's events in the order
 *   2, 1.
 */
import { expect, onTestFinished, test } from 'vitest'
import { WriteHorizon } from '../../src/relay/turn/write-horizon.ts'
import { HeldKeys } from '../../src/relay/turn/held-keys.ts'
import { LaneReader } from '../../src/relay/turn/lane-reader.ts'
import { openDatabase } from '../../src/store/connection/database.ts'
import { readHorizon } from '../../src/store/lanes/read-horizon.ts'
import type { QueuedIntent } from '../../src/store/lanes/queued-intent.ts'
import { claimLane } from '../../src/store/lanes/claim-lane.ts'
import { type Harness, peopleOfOneLane, startHarness, stepOf, track } from '../support/relay-harness.ts'
import { startPair } from './support/servers/failover.ts'

const NUMBERS = 2_000
/** Milliseconds. Long enough for a busy relay to read the sequence, which it does four times a second. */
const WHILE_MS = 1_000

test('38: a person\u2019s events stay in order after a failover, because the relay drops the numbers of the former server', async () => {
  const { pair, h, drawNumbers } = await startFailover()
  const [person = '', neighbour = ''] = await peopleOfOneLane(h.db, 'default/track', 2)
  let steps = 0
  const next = async () => {
    await h.enqueue(track(neighbour, ++steps))
    await h.fake.until(({ applied }) => applied.some((one) => isStep(one, neighbour, steps)))
  }
  await h.relay()
  await next()
  await h.drained()
  await pair.lag()
  await drawNumbers()
  for (const until = performance.now() + WHILE_MS; performance.now() < until; ) await next()
  await h.drained() // the relay knows a number above 2,000 now; the standby has drawn at most 33
  await pair.failover()

  const open = await h.db.begin()
  await h.outbox.enqueue(open, track(person, 1))
  await next() // the relay reads while the transaction is open
  await open.query('COMMIT')
  open.release()
  await drawNumbers()
  await h.enqueue(track(person, 2))
  await h.drained()
  const received = h.fake.applied.filter(({ personKey }) => personKey === `id:${person}`)
  expect(received.map(({ body }) => stepOf(body as never))).toEqual([1, 2])
})

test('38: a write horizon that was read on the former server raises no watermark on the new one', async () => {
  const { pair, h, drawNumbers } = await startFailover()
  const [person = '', neighbour = ''] = await peopleOfOneLane(h.db, 'default/track', 2)
  const db = openDatabase({ connectionString: h.db.url })
  onTestFinished(() => db.close())
  const horizon = new WriteHorizon(
    () => readHorizon(db),
    async () => {},
  )
  await pair.lag()
  await drawNumbers()
  await horizon.advance()
  expect(horizon.onServer(horizon.lastReading.server).confirmed).toBeGreaterThanOrEqual(NUMBERS)
  await pair.failover()

  const open = await h.db.begin()
  onTestFinished(() => open.release(true))
  await h.outbox.enqueue(open, track(person, 1))
  await h.enqueue(track(neighbour, 1))
  const lane = { destination: 'default/track', lane: 3 }
  const fence = await claimLane(db, lane, '0190a1b2-0000-7000-8000-000000000001')
  const options = { size: 100, maxAgeSeconds: undefined, open: async (found: QueuedIntent[]) => found }
  const reader = new LaneReader(db, fence, options, horizon, new HeldKeys(db, fence))
  const rows = await reader.peek()
  expect(rows).toHaveLength(1)
  reader.drop(new Set(rows.map(({ seq }) => seq)))
  expect(reader.watermark.provisionalWatermark).toBe(0n)
})

async function startFailover() {
  const pair = await startPair()
  onTestFinished(() => pair.close())
  const h: Harness = await startHarness({ sequenceOf: stepOf }, await pair.createDatabase())
  onTestFinished(() => h.close())
  let others = 0
  const drawNumbers = async () => {
    await h.enqueue(...Array.from({ length: NUMBERS }, () => track('other', ++others)))
  }
  return { pair, h, drawNumbers }
}

function isStep(
  one: { personKey?: string | undefined; body: unknown },
  person: string,
  step: number,
): boolean {
  return one.personKey === `id:${person}` && stepOf(one.body as never) === step
}
