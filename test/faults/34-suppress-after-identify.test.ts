import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Intent } from '../../src/index.ts'
import { everyApi, type Harness, startHarness } from '../support/relay-harness.ts'
import { accountFor } from './support/account.ts'
import { type Gateway, type Intercepted, startGateway } from './support/gateway.ts'

/*
 * Guards that a suppress goes alone, after the answer to all that went before it. Switched off, and seen to fail:
 * - `BARRIERS` empty: the suppress shares the identifies' request;
 * - a failed batch passed over and tried again later: the suppress goes out before the identifies' end.
 *
 * What cannot be promised is told by the second test: a request that has left is out of the relay's hands.
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
  '34: an identify times out %s: its retry goes out before the suppress, never after',
  async (_, after) => {
    h.fake.misbehave({ kind: 'hang', after, times: 2 })
    const ids = await h.enqueue(identify('a'), identify('b'), { operation: 'suppress', customerId: 'u1' })
    await relay()
    await h.drained()
    expect(await accountFor(h, ids)).toMatchObject({ delivered: 3, dead: 0 })
    // The suppress waits for the identifies' end, and travels alone.
    expect(sent()).toEqual(['identify,identify', 'identify,identify', 'identify,identify', 'suppress'])
    expect(actions().at(-1)).toBe('suppress')
    expect(h.fake.person({ id: 'u1' })).toMatchObject({ suppressed: true, deleted: true, attributes: {} })
  },
)

test.each([
  ['suppress', { suppressed: true, deleted: true, attributes: {} }],
  ['destroy', { suppressed: false, deleted: false, attributes: { plan: 'a' } }],
] as const)('34: an identify that timed out reaches Customer.io after the %s', async (operation, person) => {
  // It is on its way somewhere between the relay, which has given it up, and Customer.io.
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
  // Nothing that a relay does can call back what has left it. Customer.io ignores updates of a suppressed id, so
  // suppression holds; a deletion is undone by any later update, as its documentation says.
  expect(h.fake.person({ id: 'u1' })).toMatchObject(person)
  expect(h.fake.counts.ignored).toBe(operation === 'suppress' ? 1 : 0)
})
