import { afterEach, beforeEach, expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { everyApi, type Harness, startHarness, stepOf, track } from '../support/relay-harness.ts'
import { accountFor, findings } from './support/account.ts'
import { type Gateway, startGateway } from './support/network/gateway.ts'

/*
 * Guards the minimum in `retryAfterMs`. The test fails without a minimum: the next request comes within 20 ms.
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

/** The first two have no usable value, so the relay waits 1 s, and then 2 s. */
const VALUES = ['', 'soon', '0', '-5', '0.001', 'Thu, 01 Jan 2015 00:00:00 GMT']

test('52: with any Retry-After, the next request comes at least a second later', async () => {
  gateway.intercept(({ response }) => {
    const value = VALUES[gateway.passages.length - 1]
    if (value === undefined) return 'pass on'
    return response.writeHead(429, { 'retry-after': value, 'content-type': 'application/json' }).end('{}')
  })
  await h.relay({ customerio: everyApi(gateway) })
  const ids = await h.enqueue(track('u1', 1), track('u1', 2))
  await eventually('all to be answered', () => gateway.passages.length > VALUES.length, 30_000)
  await h.drained()
  const starts = gateway.passages.map(({ startedAt }) => startedAt)
  const gaps = starts.slice(1).map((startedAt, n) => [VALUES[n], startedAt - (starts[n] ?? 0)] as const)
  expect(gaps.slice(0, VALUES.length).filter(([, ms]) => ms < 1_000)).toEqual([])
  expect(await accountFor(h, ids)).toMatchObject({ delivered: 2, dead: 0, pending: 0 })
  expect(await findings(h, ids)).toEqual([])
})
