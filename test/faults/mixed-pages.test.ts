/**
 * Faults that meet a page of wire texts only, or of texts and payloads by turns. Every promise holds for both.
 * A test fails after each of these changes:
 * - if `batchBody` (src/customerio/transports/wire-text.ts) copies all texts before all converted operations, operations
 *   are out of order;
 * - if `rowsOf` (src/store/lanes/queued-intent.ts) counts a row's start without the comma before it, Customer.io refuses
 *   the bodies;
 * - if `rowsOf` ignores what is special about a row, payloads are sent as they are stored, and refused.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Misbehaviour } from '../../src/testing/index.ts'
import { eventually } from '../support/eventually.ts'
import {
  everyApi,
  type Harness,
  peopleOfOneLane,
  startHarness,
  stepOf,
  track,
} from '../support/relay-harness.ts'
import { accountFor, findings } from './support/account.ts'
import { type Gateway, startGateway } from './support/network/gateway.ts'

const COUNT = 120
/** Whether plain SQL enqueues the intent of this number, so that its row has a payload. Else TypeScript stores a text. */
const PAGES = {
  'texts only': () => false,
  'texts and payloads': (n: number) => n % 3 === 1,
} satisfies Record<string, (n: number) => boolean>

let h: Harness
let people: string[]
beforeEach(async () => {
  h = await startHarness({ sequenceOf: stepOf })
  people = await peopleOfOneLane(h.db, 'default/track', 7)
})
afterEach(() => h.close())

const personOf = (n: number) => people[n % people.length] ?? ''
const culprit = (op: object) => [17, 50, 51].includes(Number(stepOf(op)))

/** Enqueues `COUNT` events of one lane, in one transaction. Event 60 is followed by a suppress if there is a barrier. */
const enqueueAll = (isPayload: (n: number) => boolean, barrier = false) =>
  h.db.transaction(async (tx) => {
    const ids: string[] = []
    for (let n = 0; n < COUNT; n++) {
      const { operation, ...payload } = track(personOf(n), n)
      const { rows } = isPayload(n)
        ? await tx.query('SELECT (outbox.enqueue($1, $2)).id', [operation, payload])
        : { rows: [await h.outbox.enqueue(tx, track(personOf(n), n))] }
      ids.push(rows[0].id)
      if (barrier && n === 60) {
        const { id } = await h.outbox.enqueue(tx, { operation: 'suppress', customerId: personOf(0) })
        ids.push(id)
      }
    }
    return ids
  })

describe.each(Object.entries(PAGES))('a page of %s', (_, isPayload) => {
  const enqueue = (barrier = false) => enqueueAll(isPayload, barrier)
  const forms = async () =>
    (await h.db.rows<{ format: number }>('SELECT DISTINCT format FROM outbox.intents ORDER BY 1')).map(
      ({ format }) => format,
    )

  const CASES: readonly (readonly [string, Misbehaviour, number])[] = [
    ['a 207', { kind: 'refuse', operation: culprit }, 3],
    ['a 400', { kind: 'badRequest', operation: culprit }, 3],
    ['a 500 for three intents', { kind: 'failOn', operation: culprit }, 3],
    ['an outage', { kind: 'outage', times: 12 }, 0],
    ['a reset after the request was applied', { kind: 'reset', after: 'apply', times: 1 }, 0],
  ]
  test.each(CASES)('%s', async (_, misbehaviour, dead) => {
    h.fake.misbehave(misbehaviour)
    const ids = await enqueue()
    expect(await forms()).toEqual([...new Set(ids.map((_, n) => (isPayload(n) ? 1 : 2)))].toSorted())
    await h.relay({ intentRetry: { attempts: 2, initialDelayMs: 20, maxDelayMs: 20 } })
    await h.drained(20_000)
    expect(await accountFor(h, ids)).toMatchObject({ delivered: COUNT - dead, dead, pending: 0 })
    const letters = await h.db.rows('SELECT format, payload FROM outbox.dead_letters ORDER BY seq')
    const payloads = [17, 50, 51].map((n) => ({ customerId: personOf(n), name: 'step', data: { n } }))
    expect(letters).toEqual(dead === 0 ? [] : payloads.map((payload) => ({ format: 1, payload })))
    expect(h.fake.counts).toMatchObject({ applied: COUNT - dead, outOfOrder: 0 })
    expect(await findings(h, ids)).toEqual([])
  })

  test('a barrier', async () => {
    const ids = await enqueue(true)
    await h.relay()
    await h.drained()
    expect(await accountFor(h, ids)).toMatchObject({ delivered: COUNT + 1, dead: 0 })
    expect(h.fake.requests.byStatus).toEqual({ 200: 3 })
    const actions = h.fake.applied.map(({ action }) => action)
    expect(actions.indexOf('suppress')).toBe(61)
    expect(h.fake.counts).toMatchObject({ duplicates: 0, outOfOrder: 0 })
  })

  test('a proxy that takes 6,000 bytes', async () => {
    const gateway: Gateway = await startGateway(h.fake)
    gateway.intercept(async ({ passage, response, forward }) => {
      if (passage.body.length <= 6_000) return forward()
      response.writeHead(413, { 'content-type': 'text/html' }).end('<h1>413</h1>')
    })
    const ids = await enqueue()
    await h.relay({ customerio: everyApi(gateway) })
    await h.drained()
    await gateway.close()
    expect(await accountFor(h, ids)).toMatchObject({ delivered: COUNT, dead: 0 })
    expect(h.fake.counts).toMatchObject({ applied: COUNT, duplicates: 0, outOfOrder: 0 })
    expect(await findings(h, ids)).toEqual([])
  })

  test('batches of ten events, one after the other', async () => {
    h.fake.latencyMs = 20
    const ids = await enqueue()
    await h.relay({ batchSize: 10 })
    await eventually('every event', () => h.fake.counts.applied === COUNT)
    await h.drained()
    expect(h.fake.requests.byStatus).toEqual({ 200: COUNT / 10 })
    expect(h.fake.counts).toMatchObject({ applied: COUNT, duplicates: 0, outOfOrder: 0 })
    expect(await findings(h, ids)).toEqual([])
  })
})

test('a page of texts and payloads of a relay that is killed while its request is in flight', async () => {
  h.fake.latencyMs = 1_000
  const ids = await enqueueAll(PAGES['texts and payloads'])
  const child = await h.relayProcess()
  await h.fake.until(({ counts }) => counts.applied === COUNT)
  child.kill('SIGKILL')
  h.fake.latencyMs = 0
  await h.relay()
  await h.drained(40_000)
  expect(await accountFor(h, ids)).toMatchObject({ delivered: COUNT, dead: 0 })
  expect(h.fake.counts).toMatchObject({ applied: COUNT, duplicates: COUNT, outOfOrder: 0 })
  expect(await findings(h, ids)).toEqual([])
})
