import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Intent } from '../../src/index.ts'
import { everyApi, type Harness, startHarness } from '../support/relay-harness.ts'
import { accountFor } from './support/account.ts'
import { type Gateway, type Intercepted, startGateway } from './support/network/gateway.ts'

/*
 * Guards that a suppress is sent alone, after the answers to all earlier intents.
 * A test fails after each of these changes:
 * - if `BARRIERS` is empty, the suppress shares the identifies' request;
 * - if a failed batch is skipped and retried later, the suppress is sent before the identifies are done.
 *
 * The second test shows the limit of the guarantee: a relay has no control over a request that it has sent.
 */

let h: Harness
let gateway: Gateway
beforeEach(async () => {
  h = await startHarness()
  gateway = await startGateway(h.fake)
})
afterEach(async () => {
  await gateway.close()
  await h.close()
})

const identify = (plan: string): Intent => ({ operation: 'identify', customerId: 'u1', attributes: { plan } })
const actions = () => h.fake.applied.map(({ action }) => action)
const sent = () =>
  gateway.passages.map(({ body }) =>
    JSON.parse(body.toString())
      .batch.map(({ action }: { action: string }) => action)
      .join(),
  )
const relay = () => h.relay({ customerio: everyApi(gateway), requestTimeoutMs: 300 })

test.each([
  ['after it was applied', 'apply'],
  ['before it was applied', 'before'],
] as const)(
  '34: an identify times out %s: its retry is sent before the suppress, never after',
  async (_, after) => {
    h.fake.misbehave({ kind: 'hang', after, times: 2 })
    const ids = await h.enqueue(identify('a'), identify('b'), { operation: 'suppress', customerId: 'u1' })
    await relay()
    await h.drained()
    expect(await accountFor(h, ids)).toMatchObject({ delivered: 3, dead: 0 })
    // The suppress waits until the identifies are done, and is sent alone.
    expect(sent()).toEqual(['identify,identify', 'identify,identify', 'identify,identify', 'suppress'])
    expect(actions().at(-1)).toBe('suppress')
    expect(h.fake.person({ id: 'u1' })).toMatchObject({ suppressed: true, deleted: true, attributes: {} })
  },
)

test.each([
  ['suppress', { suppressed: true, deleted: true, attributes: {} }],
  ['destroy', { suppressed: false, deleted: false, attributes: { plan: 'a' } }],
] as const)('34: a late identify undoes a destroy, but not a suppress: %s', async (operation, person) => {
  // The request is between the relay, which has timed out, and Customer.io.
  const late: Intercepted[] = []
  gateway.intercept((intercepted) => {
    if (late.length > 0) return 'pass on'
    late.push(intercepted)
  })
  const ids = await h.enqueue(identify('a'), { operation, customerId: 'u1' })
  await relay()
  await h.drained()
  expect(await accountFor(h, ids)).toMatchObject({ delivered: 2, dead: 0 })
  expect(sent()).toEqual(['identify', 'identify', operation === 'destroy' ? 'delete' : operation])
  expect(h.fake.person({ id: 'u1' })).toMatchObject({ deleted: true })
  await late[0]?.forward()
  // A relay cannot recall a request that it has sent. Customer.io ignores updates of a suppressed id, so
  // suppression holds; a deletion is undone by any later update, as its documentation says.
  expect(h.fake.person({ id: 'u1' })).toMatchObject(person)
  expect(h.fake.counts.ignored).toBe(operation === 'suppress' ? 1 : 0)
})
