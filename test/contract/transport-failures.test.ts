import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import type { Answer } from '../../src/customerio/answers/answer.ts'
import type { Transport } from '../../src/customerio/transports/transport.ts'
import { startCaptureServer } from '../support/wire/capture-server.ts'
import { GOLDENS, type Golden, INTENT_ID, OCCURRED_AT } from '../support/wire/goldens.ts'
import { createTransport } from '../support/wire/transports.ts'

const opened: { close(): Promise<void> }[] = []

afterEach(async () => {
  await Promise.all(opened.splice(0).map((one) => one.close()))
})

/** Starts a TCP server that calls `onRequest` each time that data arrives on a connection. */
async function startRawServer(onRequest: (socket: Socket) => void, onConnect?: (socket: Socket) => void) {
  const sockets = new Set<Socket>()
  const server: Server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    onConnect?.(socket)
    socket.on('data', () => onRequest(socket))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const close = async () => {
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => server.close(resolve))
  }
  opened.push({ close })
  const address = server.address()
  return { port: typeof address === 'object' ? (address?.port ?? 0) : 0, close }
}

async function sendTo(url: string, api: Golden['api'] = 'app', timeoutMs = 2_000): Promise<Answer> {
  const golden = GOLDENS.find((one) => one.api === api) as Golden
  const transport: Transport = createTransport(api, url, {}, timeoutMs)
  opened.push(transport)
  const { operation, payload } = golden
  return transport.send([
    transport.prepare({ id: INTENT_ID, operation, payload, occurredAtSeconds: OCCURRED_AT }),
  ])
}

const respond = (head: string, body = '') => `HTTP/1.1 ${head}\r\n\r\n${body}`

describe('the request never left: the outcome is not_applied', () => {
  test('connection refused', async () => {
    const { port, close } = await startRawServer(() => {})
    await close()
    expect(await sendTo(`http://127.0.0.1:${port}`)).toMatchObject({
      kind: 'unavailable',
      status: undefined,
      outcome: 'not_applied',
      message: expect.stringContaining('ECONNREFUSED'),
    })
  })

  test('a name that does not resolve', async () => {
    expect(await sendTo('http://api.customer.invalid')).toMatchObject({
      kind: 'unavailable',
      outcome: 'not_applied',
    })
  })

  test('a server without TLS', async () => {
    const { port } = await startRawServer((socket) => socket.end('no TLS here'))
    expect(await sendTo(`https://127.0.0.1:${port}`)).toMatchObject({
      kind: 'unavailable',
      outcome: 'not_applied',
    })
  })

  test('a TLS handshake that hangs', async () => {
    const { port } = await startRawServer(() => {})
    expect(await sendTo(`https://127.0.0.1:${port}`, 'app', 300)).toMatchObject({
      kind: 'unavailable',
      outcome: 'not_applied',
    })
  })

  test('a TLS handshake that is reset', async () => {
    const { port } = await startRawServer((socket) => socket.resetAndDestroy())
    expect(await sendTo(`https://127.0.0.1:${port}`)).toMatchObject({
      kind: 'unavailable',
      outcome: 'not_applied',
    })
  })
})

describe('the request may have arrived: the outcome is unknown', () => {
  test.each<[string, (socket: Socket) => void]>([
    ['no answer', () => {}],
    ['reset', (socket) => socket.resetAndDestroy()],
    ['closed', (socket) => socket.destroy()],
    ['half a head', (socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-ty')],
    ['not HTTP', (socket) => socket.end('SSH-2.0-OpenSSH_9.6\r\n')],
    ['a body cut short', (socket) => socket.end(respond('200 OK\r\ncontent-length: 100', '{"deliv'))],
    ['a body that stops', (socket) => socket.write(respond('200 OK\r\ncontent-length: 100', '{"deliv'))],
    ['a chunk cut short', (socket) => socket.end(respond('200 OK\r\ntransfer-encoding: chunked', 'ff\r\n{'))],
  ])('%s', async (_name, behave) => {
    const { port } = await startRawServer(behave)
    expect(await sendTo(`http://127.0.0.1:${port}`, 'app', 500)).toMatchObject({
      kind: 'unavailable',
      status: undefined,
      outcome: 'unknown',
    })
  })

  test.each(['track', 'broadcast', 'pipelines'] as const)(
    'a request of the API %s that times out is not repeated',
    async (api) => {
      let requests = 0
      const { port } = await startRawServer(() => requests++)
      const answer = await sendTo(`http://127.0.0.1:${port}`, api, 300)
      expect(answer).toMatchObject({
        kind: 'unavailable',
        outcome: 'unknown',
        message: expect.stringMatching(/time/i),
      })
      expect(requests).toBe(1)
    },
  )

  test.each<[string, number, Record<string, string>, string]>([
    ['HTML', 200, { 'content-type': 'text/html' }, '<html>Sign in to the hotel</html>'],
    ['an empty body of type HTML', 200, { 'content-type': 'text/html' }, ''],
    ['JSON cut short, in full length', 200, { 'content-type': 'application/json' }, '{"delivery_id":"RPI'],
    ['an array', 200, { 'content-type': 'application/json' }, '[]'],
    ['null', 200, { 'content-type': 'application/json' }, 'null'],
    ['a gateway that failed', 502, { 'content-type': 'text/html' }, '<html>Bad Gateway</html>'],
    ['a gateway that failed, in JSON', 504, { 'content-type': 'application/json' }, '{"message":"timeout"}'],
    ['a failure in HTML', 500, { 'content-type': 'text/html' }, '<html>oops</html>'],
  ])('%s', async (_name, status, headers, body) => {
    expect(await canned({ status, headers, body })).toMatchObject({
      kind: 'unavailable',
      status,
      outcome: 'unknown',
    })
  })
})

describe('an answer', () => {
  test.each([
    [200, '', 'accepted'],
    [200, '{}', 'accepted'],
    [400, '{"meta":{"error":"bad"}}', 'rejected'],
    [401, 'Unauthorized', 'credential'],
    [403, '<html>Forbidden</html>', 'credential'],
    [413, '<html>Too large</html>', 'unavailable'],
    [413, '{"meta":{"error":"too large"}}', 'too_large'],
    [422, '{"errors":[{"detail":"is invalid","source":{"pointer":"/data/attributes/ids"}}]}', 'rejected'],
    [400, '{"message":"Bad Request"}', 'unavailable'],
    [429, '', 'rate_limited'],
  ])('status %d with the body %s is classified as %s', async (status, body, kind) => {
    expect(await canned({ status, body, headers: {} })).toMatchObject({ kind })
  })

  test.each([
    [408, 'not_applied'],
    [503, 'not_applied'],
    [500, 'unknown'],
  ])("%d in the API's JSON: the outcome is %s", async (status, outcome) => {
    expect(await canned({ status, body: '{"meta":{"error":"internal error"}}' })).toEqual({
      kind: 'unavailable',
      status,
      outcome,
      message: 'application/json, 35 bytes',
    })
  })

  test('Retry-After is read with a JSON body and with other text', async () => {
    const headers = { 'retry-after': '7' }
    expect(await canned({ status: 429, headers, body: '{}' })).toMatchObject({ retryAfterMs: 7_000 })
    expect(await canned({ status: 429, headers, body: 'slow down' })).toMatchObject({ retryAfterMs: 7_000 })
  })

  test('an answer to a batch names the refused operations, with status 207 and with 200', async () => {
    const body = '{"errors":[{"batch_index":0,"reason":"invalid","field":"name","message":"too long"}]}'
    const refused = [{ index: 0, reason: 'invalid', field: 'name', message: 'too long' }]
    expect(await canned({ status: 207, body }, 'track')).toEqual({ kind: 'accepted', status: 207, refused })
    expect(await canned({ status: 200, body }, 'track')).toEqual({ kind: 'accepted', status: 200, refused })
  })
})

async function canned(
  answer: Parameters<Awaited<ReturnType<typeof startCaptureServer>>['answer']>[0],
  api: Golden['api'] = 'app',
) {
  const server = await startCaptureServer()
  opened.push(server)
  server.answer(answer)
  const result = await sendTo(server.url, api)
  expect(server.take()).toHaveLength(1)
  return result
}

afterAll(() => expect(opened).toEqual([]))
