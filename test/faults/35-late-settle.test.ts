/**
 * A test fails after each of these changes:
 * - without `id` in the DELETE of settle.ts, the late settle of the first test deletes the new intents: 200 of 200 are
 *   recorded as delivered, although Customer.io received only 33 of them;
 * - without the server in `fenceHolds` (fence.ts), the row of the second test is marked and charged, and the old watermark
 *   is written;
 * - without `#onRewound` in write-horizon.ts, the new intents of the third test wait below the watermark for the next
 *   audit, and the relay emits no `sequenceRewound`.
 */
import { afterEach, expect, test } from 'vitest'
import { chargeAttempt } from '../../src/store/lanes/charge-attempt.ts'
import { openDatabase } from '../../src/store/connection/database.ts'
import { markSending } from '../../src/store/lanes/mark-sending.ts'
import { ZERO_WATERMARK, readLane } from '../../src/store/lanes/read-lane.ts'
import { FencedError } from '../../src/store/lanes/settle.ts'
import { releaseLane, reportWatermark, claimLane } from '../../src/store/lanes/claim-lane.ts'
import { eventually } from '../support/eventually.ts'
import {
  everyApi,
  type Harness,
  peopleOfOneLane,
  startHarness,
  stepOf,
  track,
} from '../support/relay-harness.ts'
import { accountFor } from './support/account.ts'
import { startPair } from './support/servers/failover.ts'
import { type Gateway, startGateway } from './support/network/gateway.ts'
import { holdRequests } from './support/holding.ts'
import { uuidOf } from './support/shop/oracle.ts'

const cleanup = new Set<() => Promise<unknown>>()
afterEach(async () => {
  for (const end of [...cleanup].reverse()) await end()
  cleanup.clear()
})

const LANE = { destination: 'default/track', lane: 3 }

async function startWithGateway(db?: Harness['db']): Promise<{ h: Harness; gateway: Gateway }> {
  const h = await startHarness({ sequenceOf: stepOf }, db)
  const gateway = await startGateway(h.fake)
  cleanup.add(() => h.close())
  cleanup.add(() => gateway.close())
  return { h, gateway }
}

async function startFailover() {
  const pair = await startPair()
  cleanup.add(() => pair.close())
  const { h, gateway } = await startWithGateway(await pair.createDatabase())
  return { pair, h, gateway }
}

const eventsOf = (people: readonly string[], count: number) =>
  Array.from({ length: count }, (_, n) =>
    track(people[n % people.length] ?? '', 1 + Math.floor(n / people.length)),
  )
const seqsOf = (h: Harness) => h.db.rows<{ seq: string }>('SELECT seq FROM outbox.intents ORDER BY seq')
const laneOf = (h: Harness) =>
  h.db.rows('SELECT epoch, relay_id FROM outbox.lanes WHERE lane = $1', [LANE.lane])
const received = (h: Harness) => new Set(h.fake.applied.map(({ ulid }) => uuidOf(ulid ?? '')))

test('35: after a failover to a lagging replica, a late settle does not affect new intents that have the numbers of lost ones', async () => {
  const { pair, h, gateway } = await startFailover()
  const [first = '', ...people] = await peopleOfOneLane(h.db, LANE.destination, 21)
  const requests = holdRequests(gateway)
  await h.relay({ customerio: everyApi(gateway), requestTimeoutMs: 30_000 })
  await h.enqueue(track(first, 1))
  await eventually('the first request', () => requests.count === 1)
  await pair.lag()
  await h.enqueue(...eventsOf(people.slice(0, 10), 200))
  const lost = (await seqsOf(h)).map(({ seq }) => seq)
  await requests.release()
  await eventually('a request with what will be lost', () => requests.operations === 200)
  const before = await laneOf(h)

  await pair.failover()
  const ids = await h.enqueue(...eventsOf(people.slice(10), 200))
  // The dangerous case: new intents have the numbers of lost ones, and the lane's row matches the old fence.
  expect((await seqsOf(h)).filter(({ seq }) => lost.includes(seq)).length).toBeGreaterThan(100)
  expect(await laneOf(h)).toEqual(before)
  await requests.end()
  await h.drained()
  expect(await accountFor(h, ids)).toMatchObject({ delivered: 200, dead: 0 })
  expect(ids.filter((id) => !received(h).has(id))).toEqual([])
  expect(h.fake.counts.outOfOrder).toBe(0)
})

test('35: rows read before a failover are neither marked nor charged after it, and their watermark is not written', async () => {
  const { pair, h } = await startFailover()
  const [person = ''] = await peopleOfOneLane(h.db, LANE.destination, 1)
  const db = openDatabase({ connectionString: h.db.url })
  cleanup.add(() => db.close())
  await h.enqueue(track(person, 1))
  const fence = await claimLane(db, LANE, '0190a1b2-0000-7000-8000-000000000001')
  const { rows } = await readLane(db, LANE, {
    from: ZERO_WATERMARK,
    except: [],
    exceptKeys: [],
    limit: 10,
    bytes: 1e6,
    fence,
  })
  const [row] = rows
  if (!row) throw new Error('the lane is empty')
  await pair.lag()
  await pair.failover()
  const rest = { from: ZERO_WATERMARK, except: [], exceptKeys: [], limit: 10, bytes: 1e6 }
  await expect(readLane(db, LANE, { ...rest, fence })).rejects.toThrow(FencedError)
  await expect(markSending(db, fence, [row])).rejects.toThrow(FencedError)
  await expect(chargeAttempt(db, fence, row, 1_000)).rejects.toThrow(FencedError)
  const laneWatermark = { watermark: 9n, provisionalWatermark: 9n, provisionalXids: [] }
  await reportWatermark(db, fence, laneWatermark)
  await releaseLane(db, fence, laneWatermark)
  const [intent] = await h.db.rows('SELECT attempts, sending_at FROM outbox.intents')
  expect(intent).toEqual({ attempts: 0, sending_at: null })
  expect(await h.db.rows('SELECT watermark FROM outbox.lanes')).toEqual([{ watermark: '0' }])
})

test('35: new intents arrive in order if the sequence is set back to their numbers while a request is in flight', async () => {
  const { h, gateway } = await startWithGateway()
  const people = await peopleOfOneLane(h.db, LANE.destination, 20)
  const requests = holdRequests(gateway)
  const relay = await h.relay({ customerio: everyApi(gateway), requestTimeoutMs: 30_000 })
  let rewound = 0
  relay.on('sequenceRewound', () => rewound++)
  await h.enqueue(...eventsOf(people.slice(0, 10), 200))
  await eventually('the request', () => requests.operations === 200)
  await h.db.rows('TRUNCATE outbox.intents')
  await h.db.rows("SELECT setval('outbox.intents_seq_seq', 1, false)")
  await eventually('the relay to see it', () => rewound > 0)
  const ids = await h.enqueue(...eventsOf(people.slice(10), 200))
  await requests.end()
  await h.drained(4_000) // before the audit that reads below the watermarks every 5 s
  expect(await accountFor(h, ids)).toMatchObject({ delivered: 200, dead: 0 })
  expect(ids.filter((id) => !received(h).has(id))).toEqual([])
  expect(h.fake.counts.outOfOrder).toBe(0)
})
