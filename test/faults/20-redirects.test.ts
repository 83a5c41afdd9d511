import { once } from 'node:events'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { everyApi, type Harness, startHarness, stepOf, track } from '../support/relay-harness.ts'
import { accountFor, breakerState, findings, transitions } from './support/account.ts'
import { type Gateway, startGateway } from './support/network/gateway.ts'

/*
 * Guards `GuardedDispatcher`.
 * A test fails after each of these changes:
 * - if the origin of the target is not checked, the foreign host gets a TLS hello (https), or the batch
 *   (http), and the relay counts the batch as delivered;
 * - without a limit of redirects, only the timeout ends a loop, and the breaker does not open in time.
 *
 * Node's own fetch also refuses a redirect whose URL has a user name.
 */

let h: Harness
let gateway: Gateway
let elsewhere: { readonly port: number; readonly heard: string[]; readonly server: Server }
beforeEach(async () => {
  h = await startHarness({ sequenceOf: stepOf })
  gateway = await startGateway(h.fake)
  elsewhere = await startStranger()
})
afterEach(async () => {
  elsewhere.server.close()
  await gateway.close()
  await h.close()
})

/** A foreign host. It records all bytes that reach it, even a TLS hello. */
async function startStranger() {
  const heard: string[] = []
  const server = createServer((socket) => {
    heard.push('a connection')
    socket.on('error', () => {})
    socket.on('data', (chunk) => {
      heard.push(chunk.toString('latin1'))
      socket.end('HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}')
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { port: (server.address() as AddressInfo).port, heard, server }
}

const relay = () => h.relay({ customerio: everyApi(gateway) })
const redirect = (status: number, location: () => string) =>
  gateway.intercept(({ response }) => response.writeHead(status, { location: location() }).end())

test.each([301, 307])('20: a loop of %ds is cut off, opens the breaker and loses nothing', async (status) => {
  redirect(status, () => `${gateway.url}/api/v2/batch`)
  await relay()
  const ids = await h.enqueue(...Array.from({ length: 40 }, (_, n) => track(`u${n % 5}`, n)))
  await eventually('the breaker to open', async () => (await transitions(h)).includes('closed>open'))
  expect((await breakerState(h))?.last_error).toContain('more than 3 redirects')
  const probes = async () => (await transitions(h)).filter((t) => t === 'half_open>open').length
  await eventually('failed probes', async () => (await probes()) >= 2)
  const [before, requests] = [await probes(), gateway.passages.length]
  await eventually('more of them', async () => (await probes()) >= before + 3)
  // Each probe is one request and three redirects.
  expect(gateway.passages.length - requests).toBeLessThanOrEqual(4 * ((await probes()) - before + 1))
  expect(await accountFor(h, ids)).toEqual({ delivered: 0, dead: 0, pending: 40, attempts: 0 })
  gateway.intercept(() => 'pass on')
  await h.drained()
  expect(h.fake.counts).toMatchObject({ applied: 40, duplicates: 0, outOfOrder: 0 })
  expect(await findings(h, ids)).toEqual([])
})

test.each([
  ['off the domain, http', () => `http://localhost:${elsewhere.port}/api/v2/batch`],
  ['off the domain, https', () => `https://localhost:${elsewhere.port}/api/v2/batch`],
  ['to another port of the same host', () => `http://127.0.0.1:${elsewhere.port}/api/v2/batch`],
  ['to the same host, from http to https', () => `https://127.0.0.1:${elsewhere.port}/api/v2/batch`],
  ['with a user name like a host', () => `http://track.customer.io@127.0.0.1:${elsewhere.port}/api/v2/batch`],
] as const)(
  '20: a redirect %s is not followed, so neither credential nor payload reaches its target',
  async (_, location) => {
    redirect(307, location)
    await relay()
    const ids = await h.enqueue(...Array.from({ length: 40 }, (_, n) => track(`u${n % 5}`, n)))
    await eventually(
      'failed probes',
      async () => (await transitions(h)).filter((t) => t === 'half_open>open').length >= 1,
    )
    expect(elsewhere.heard).toEqual([])
    expect(await accountFor(h, ids)).toEqual({ delivered: 0, dead: 0, pending: 40, attempts: 0 })
    gateway.intercept(() => 'pass on')
    await h.drained()
    expect(elsewhere.heard).toEqual([])
    expect(h.fake.counts).toMatchObject({ applied: 40, duplicates: 0, outOfOrder: 0 })
    expect(await findings(h, ids)).toEqual([])
  },
)
