import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { checkRegion } from '../../src/customerio/check-region.ts'
import { eventually } from '../support/eventually.ts'
import { email, everyApi, startHarness, stepOf, track } from '../support/relay-harness.ts'
import { accountFor, findings } from './support/account.ts'
import { startGateway } from './support/network/gateway.ts'

/*
 * Guards the size limits of an answer.
 * A test fails after each of these changes:
 * - without `maxResponseSize`, the endless body and the gigabyte end with the timeout, after hundreds of megabytes;
 * - without `maxOutputLength`, gzip of 900 KB becomes 900 MB.
 *
 * Measured: the peak of memory grows by 22 MB in all.
 */

const MB = 1_000_000
const JSON_TYPE = { 'content-type': 'application/json' }
/** Decompresses to 64 MiB. Concatenated gzip members decompress to their concatenated contents. */
const MEMBER = gzipSync(Buffer.alloc(64 * 1_048_576))
const members = (count: number) => Buffer.concat(Array.from({ length: count }, () => MEMBER))
const CHILD = fileURLToPath(new URL('./support/processes/answer-child.ts', import.meta.url))

/** Writes as long as the other side reads. */
function endlessly(socket: Pick<Socket, 'write' | 'once' | 'destroyed'>, chunk: string | Buffer): void {
  while (!socket.destroyed) {
    if (!socket.write(chunk)) {
      socket.once('drain', () => endlessly(socket, chunk))
      return
    }
  }
}

const packed = (encoding: string, body: Buffer) => (response: ServerResponse) =>
  response.writeHead(200, { ...JSON_TYPE, 'content-encoding': encoding }).end(body)

const TOO_LONG = 'UND_ERR_RES_EXCEEDED_MAX_SIZE: the answer is over 1 MB'
const TOO_LARGE = 'ERR_BUFFER_TOO_LARGE: the answer unpacks to more than 1 MB'

const ANSWERS: readonly (readonly [string, string, (response: ServerResponse) => unknown])[] = [
  ['2 MB of gzip that unpack to 2 GB', TOO_LONG, packed('gzip', members(31))],
  ['900 KB of gzip that unpack to 900 MB', TOO_LARGE, packed('gzip', members(14))],
  ['deflate', TOO_LARGE, packed('deflate', deflateSync(Buffer.alloc(64 * MB)))],
  ['brotli', TOO_LARGE, packed('br', brotliCompressSync(Buffer.alloc(64 * MB)))],
  [
    'gzip twice',
    'UNKNOWN_CONTENT_ENCODING: the answer has an unknown content encoding',
    packed('gzip, gzip', gzipSync(MEMBER)),
  ],
  ['invalid gzip', 'Z_DATA_ERROR: Error of the HTTP client', packed('gzip', Buffer.from('{}'))],
  [
    'a body without an end',
    TOO_LONG,
    (response) => endlessly(response.writeHead(200, JSON_TYPE) as never, Buffer.alloc(65_536, ' ')),
  ],
  [
    'a gigabyte',
    TOO_LONG,
    (response) => {
      response.writeHead(500, { ...JSON_TYPE, 'content-length': String(1_000 * MB) })
      endlessly(response as never, Buffer.alloc(65_536, ' '))
    },
  ],
  [
    'a head without an end',
    'UND_ERR_HEADERS_OVERFLOW: the head of the answer is over 16 KB',
    ({ socket }) => {
      socket?.write('HTTP/1.1 200 OK\r\n')
      if (socket) endlessly(socket, `x-more: ${'x'.repeat(4_000)}\r\n`)
    },
  ],
  [
    'almost 1 MB in a chunk for each byte',
    'answer is not JSON: no content type, 999,000 bytes',
    ({ socket }) => {
      socket?.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n')
      socket?.end(`${'1\r\nx\r\n'.repeat(999_000)}0\r\n\r\n`)
    },
  ],
]

test('48: endless, oversized and compressed answers end at once as unavailable, and memory stays flat', async () => {
  const ends: Promise<unknown>[] = []
  let asked = 0
  const encodings: (string | undefined)[] = []
  const server = createServer((request, response) => {
    encodings.push(request.headers['accept-encoding'] as string | undefined)
    request.resume().on('end', () => {
      const answer = ANSWERS[asked++ - 3]?.[2]
      if (answer === undefined) return response.writeHead(200, JSON_TYPE).end('{}')
      const { socket } = response
      ends.push(new Promise((resolve) => socket?.once('close', resolve)))
      socket?.on('error', () => {})
      response.on('error', () => {})
      answer(response)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const child = spawn(process.execPath, ['--max-old-space-size=128', CHILD, url, String(ANSWERS.length)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const printed: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => printed.push(chunk))
  await once(child, 'close')
  const results = Buffer.concat(printed)
    .toString()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(results.map(({ answer }) => answer.message)).toEqual(ANSWERS.map(([, message]) => message))
  expect(results.every(({ answer }) => answer.kind === 'unavailable' && answer.outcome === 'unknown')).toBe(
    true,
  )
  // The timeout of a request is 30 s, and no request reached it.
  expect(results.filter(({ ms }) => ms > 15_000)).toEqual([])
  expect(results.at(-1).grownMb).toBeLessThan(80)
  expect(new Set(encodings)).toEqual(new Set(['identity']))
  await Promise.all(ends)
  server.close()
}, 60_000)

test('48: after an answer over 1 MB to an applied request, an event is sent again and deduplicated, and a message is a dead letter', async () => {
  const h = await startHarness({ sequenceOf: stepOf })
  const gateway = await startGateway(h.fake)
  const broken = new Map<string, number>()
  gateway.intercept(async ({ passage, response, forward }) => {
    const times = (broken.get(passage.path) ?? 0) + 1
    broken.set(passage.path, times)
    if (times > 1) return forward()
    await fetch(h.fake.url + passage.path, {
      method: 'POST',
      headers: { authorization: passage.authorization ?? '', ...JSON_TYPE },
      body: passage.body.toString(),
    })
    return response.writeHead(200, { ...JSON_TYPE, 'content-encoding': 'gzip' }).end(MEMBER)
  })
  try {
    await h.relay({ customerio: everyApi(gateway) })
    const ids = await h.enqueue(...[1, 2, 3].map((n) => track('u1', n)))
    await h.drained()
    expect(await accountFor(h, ids)).toEqual({ delivered: 3, dead: 0, pending: 0, attempts: 0 })
    expect(await findings(h, ids)).toEqual([])
    await h.enqueue(email('u1', 1))
    await eventually(
      'a dead letter',
      async () => (await h.db.rows('SELECT 1 FROM outbox.dead_letters')).length > 0,
    )
    expect(await h.db.rows('SELECT reason, message FROM outbox.dead_letters')).toEqual([
      { reason: 'ambiguous', message: expect.stringContaining(TOO_LARGE) },
    ])
    expect(h.fake.counts).toMatchObject({ applied: 3, duplicates: 3, outOfOrder: 0 })
  } finally {
    await gateway.close()
    await h.close()
  }
})

test('48: the region check has the same limit of 1 MB', async () => {
  const server = createServer((_, response) => packed('gzip', MEMBER)(response)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const trackUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const check = await checkRegion({ siteId: 'site', trackApiKey: 'key', trackUrl })
  expect(check).toEqual({ kind: 'unreachable', message: TOO_LARGE })
  server.closeAllConnections()
  server.close()
})
