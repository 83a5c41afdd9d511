/**
 * A test fails after each of these changes:
 * - with `server.maxConnections = 100` instead of `limitConnections`, a probe is refused while 1,000 silent or slow
 *   connections are open;
 * - with `connectionsCheckingInterval` at Node's default of 30 s, the silent connection is still open after 8 s.
 */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { eventually } from '../support/eventually.ts'
import { type RelayProcess, startRelayProcess } from '../support/relay-process.ts'

const NOWHERE = 'http://127.0.0.1:9'

let db: TestDatabase
let relay: RelayProcess
let port: number
const clients: Socket[] = []
beforeAll(async () => {
  db = await createTestDatabase()
  relay = await startRelayProcess(db.url, NOWHERE, '--host', '127.0.0.1', '--port', '0')
  port = Number(relay.log.find(({ message }) => message === 'listening')?.port)
})
afterEach(() => {
  for (const client of clients.splice(0)) client.destroy()
})
afterAll(async () => {
  await relay.kill('SIGTERM')
  await db.drop()
})

/** Opens a connection and keeps it open, after sending `first`, or silent from the start. */
async function open(first = ''): Promise<Socket> {
  const client = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  client.on('error', () => {}) // the server may close it
  clients.push(client)
  await Promise.race([once(client, 'connect'), once(client, 'close')])
  if (first !== '') client.write(first)
  return client
}

const openMany = (count: number, first?: string) =>
  Promise.all(Array.from({ length: count }, () => open(first)))

/** Three probes, each on its own connection and with a deadline of one second. */
async function expectProbesAnswered(): Promise<void> {
  for (let n = 0; n < 3; n++) {
    const response = await fetch(`http://127.0.0.1:${port}/healthz`, {
      headers: { connection: 'close' },
      signal: AbortSignal.timeout(1_000),
    })
    expect(await response.text()).toBe('{"status":"ok"}\n')
  }
}

const REQUEST = 'GET /metrics HTTP/1.1\r\nhost: relay\r\n\r\n'
const SLOW: Record<string, { count: number; first?: string }> = {
  'that say nothing': { count: 100 },
  'that say nothing, ten times as many': { count: 1_000 },
  'that stop within the headers': { count: 1_000, first: 'GET /healthz HTTP/1.1\r\nhost: rel' },
  'that stop within a body': {
    count: 1_000,
    first: 'POST /healthz HTTP/1.1\r\nhost: relay\r\ncontent-length: 9999\r\n\r\nslow',
  },
}

test.each(Object.entries(SLOW))(
  '52: beside connections %s, /healthz answers within a second',
  async (_, slow) => {
    await openMany(slow.count, slow.first)
    await expectProbesAnswered()
  },
)

test('52: beside connections that send a byte now and then, /healthz answers within a second', async () => {
  const drips = await openMany(1_000, 'GET /healthz HTTP/1.1\r\n')
  const timer = setInterval(() => {
    for (const drip of drips) if (!drip.destroyed) drip.write('x')
  }, 100)
  try {
    await expectProbesAnswered()
    await eventually(
      'all but a hundred to be closed',
      () => drips.filter((each) => !each.closed).length <= 100,
    )
    await expectProbesAnswered()
  } finally {
    clearInterval(timer)
  }
})

test('52: beside connections that request /metrics repeatedly and read nothing, /healthz answers within a second', async () => {
  const greedy = await openMany(200)
  for (const client of greedy) {
    client.pause()
    client.write(REQUEST.repeat(100))
  }
  await expectProbesAnswered()
})

test('52: beside connections that are closed on one side only, /healthz answers within a second', async () => {
  for (const client of await openMany(1_000)) client.end()
  await expectProbesAnswered()
})

test('52: a silent connection is closed by its deadline', async () => {
  const silent = await open()
  silent.resume()
  await eventually('the silent connection to be ended', () => silent.readableEnded || silent.closed, 8_000)
})
