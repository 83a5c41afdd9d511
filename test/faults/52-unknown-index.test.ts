import { afterEach, beforeEach, expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { email, everyApi, type Harness, startHarness, stepOf, track } from '../support/relay-harness.ts'
import { accountFor, findings } from './support/account.ts'
import { type Gateway, startGateway } from './support/network/gateway.ts'

/*
 * Guards the indexes that `classify` reads from a 200 or 207. The test fails if an index outside of the batch is
 * accepted: eight intents that Customer.io never got count as delivered.
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

const ERRORS = [
  { batch_index: 99, reason: 'invalid', field: 'name', message: 'is wrong' },
  { batch_index: -1, reason: 'invalid' },
  { batch_index: 0.5, reason: 'invalid' },
  { batch_index: '0', reason: 'invalid' },
]

test.each([200, 207])(
  '52: a %d that names an operation outside of the batch delivers nothing and rejects nothing',
  async (status) => {
    let asked = 0
    gateway.intercept(({ response }) =>
      response
        .writeHead(status, { 'content-type': 'application/json' })
        .end(JSON.stringify({ errors: [ERRORS[asked++ % ERRORS.length]] })),
    )
    await h.relay({ customerio: everyApi(gateway) })
    const ids = await h.enqueue(...Array.from({ length: 8 }, (_, n) => track('u1', n)))
    // The batch is halved until one intent is left, which waits: 8, 4, 2, 1.
    await eventually('a request of one intent', () =>
      gateway.passages.some(({ body }) => JSON.parse(body.toString()).batch.length === 1),
    )
    await eventually('one more request', () => gateway.passages.length > 4)
    expect(await accountFor(h, ids)).toMatchObject({ delivered: 0, dead: 0, pending: 8 })
    gateway.intercept(() => 'pass on')
    await h.drained()
    expect(h.fake.counts.applied).toBe(8)
    expect(await accountFor(h, ids)).toMatchObject({ delivered: 8, dead: 0, pending: 0 })
    expect(await findings(h, ids)).toEqual([])
  },
)

test('52: a message whose answer names another operation may have been sent: it is a dead letter of reason `ambiguous`', async () => {
  gateway.intercept(({ response }) =>
    response
      .writeHead(200, { 'content-type': 'application/json' })
      .end(JSON.stringify({ errors: [ERRORS[0]] })),
  )
  await h.relay({ customerio: everyApi(gateway) })
  await h.enqueue(email('u1', 1))
  await h.drained()
  expect(await h.db.rows('SELECT reason, message FROM outbox.dead_letters')).toEqual([
    {
      reason: 'ambiguous',
      message: expect.stringMatching(/200: errors that name no item: application\/json/),
    },
  ])
})
