import { afterEach, beforeEach, expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { everyApi, type Harness, startHarness, stepOf, track } from '../support/relay-harness.ts'
import { accountFor, findings, transitions } from './support/account.ts'
import { type Gateway, startGateway } from './support/network/gateway.ts'

/*
 * Guards `refusalOf`: only an answer in Customer.io's own form rejects an intent. The test fails if `classify` takes any
 * JSON object for a rejection: the whole backlog becomes dead letters.
 */

let h: Harness
let gateway: Gateway
beforeEach(async () => {
  h = await startHarness({ sequenceOf: stepOf })
  gateway = await startGateway(h.fake)
})
afterEach(async () => {
  await gateway.close()
  await h.close()
})

const GATEWAYS = [
  [400, '{"message":"Bad Request"}'],
  [400, '{"success":false,"errors":[{"code":7003,"message":"Could not route"}]}'],
  [422, '{"error":{"code":"InvalidRequest","message":"not allowed"}}'],
  [404, '{"message":"no Route matched with those values"}'],
  [413, '{"message":"Request Too Long"}'],
] as const

test.each(GATEWAYS)(
  '40: a gateway that answers %d %s to everything makes no dead letter',
  async (status, body) => {
    gateway.intercept(({ response }) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(body),
    )
    await h.relay({ customerio: everyApi(gateway) })
    const ids = await h.enqueue(...Array.from({ length: 200 }, (_, n) => track(`u${n % 20}`, n)))
    await eventually('the breaker to open', async () => (await transitions(h)).includes('closed>open'))
    await eventually('a failed probe', async () => (await transitions(h)).includes('half_open>open'))
    expect(await accountFor(h, ids)).toMatchObject({ delivered: 0, dead: 0, pending: 200 })
    gateway.intercept(() => 'pass on')
    await h.drained()
    expect(await accountFor(h, ids)).toMatchObject({ delivered: 200, dead: 0, pending: 0 })
    expect(await findings(h, ids)).toEqual([])
  },
)

test('40: a gateway answers 413 to one intent: the intent is isolated, and all others are delivered', async () => {
  gateway.intercept(({ passage, response }) =>
    passage.body.includes('"n":7') ? response.writeHead(413).end('too large') : 'pass on',
  )
  await h.relay({ customerio: everyApi(gateway), intentRetry: { attempts: 2, initialDelayMs: 50 } })
  const ids = await h.enqueue(
    ...Array.from({ length: 20 }, (_, n) => track(`u${n % 5}`, n === 7 ? 7 : 100 + n)),
  )
  await h.drained()
  expect(await accountFor(h, ids)).toMatchObject({ delivered: 19, dead: 1, pending: 0 })
  expect(await h.db.rows('SELECT id, reason, status FROM outbox.dead_letters')).toEqual([
    { id: ids[7], reason: 'exhausted', status: 413 },
  ])
})

test("40: Customer.io's own refusal makes a dead letter of the one intent that it is about", async () => {
  h.fake.misbehave({
    kind: 'badRequest',
    refusal: { reason: 'invalid', field: 'name', message: 'is not allowed' },
    operation: (operation) => stepOf(operation as Record<string, unknown>) === 7,
  })
  await h.relay()
  const ids = await h.enqueue(...Array.from({ length: 20 }, (_, n) => track(`u${n % 5}`, n)))
  await h.drained()
  expect(await accountFor(h, ids)).toMatchObject({ delivered: 19, dead: 1, pending: 0 })
  expect(await h.db.rows('SELECT reason, status, field, message FROM outbox.dead_letters')).toEqual([
    { reason: 'rejected', status: 400, field: 'name', message: 'invalid: name: is not allowed' },
  ])
})
