/**
 * The API that every peer sends to, in a separate process. It accepts single calls (v1) and batches (v2), waits for the
 * run's latency, and answers `{}`. The parent process controls it by messages.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { now } from '../machine/clock.ts'
import { Journal } from './journal.ts'
import type { ApiCommand, ApiMessage } from './messages.ts'
import { readRefs } from './read-refs.ts'

const EVENTS = /^\/api\/(v1\/customers\/[^/]+\/events|v2\/batch)$/
const REGION = '/api/v1/accounts/region'
const STALLED_MS = 60_000

let journal = new Journal(0)
let latencyMs = 0
let awaited = Number.POSITIVE_INFINITY

const server = createServer((request, response) => {
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk))
  request.on('end', () => handleRequest(request, Buffer.concat(chunks), response))
})
server.keepAliveTimeout = 60_000

function handleRequest(request: IncomingMessage, body: Buffer, response: ServerResponse): void {
  if (request.url === REGION) answer(response, 200, '{"region":"us","data_center":"us"}')
  else if (request.method === 'POST' && EVENTS.test(request.url ?? '')) handleEvents(body, response)
  else answer(response, 404, '{}')
}

function handleEvents(body: Buffer, response: ServerResponse): void {
  const at = now()
  const current = journal
  current.request(at)
  readRefs(body.toString('latin1'), (ref, id) => current.operation(ref, id, at))
  const done = () => {
    answer(response, 200, '{}')
    current.answered(now())
    if (current === journal) notifyIfSeen()
  }
  if (latencyMs === 0) done()
  else setTimeout(done, latencyMs)
}

function answer(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': body.length }).end(body)
}

/** Reports a stall once, if no new event arrived for STALLED_MS. */
let lastProgress = { seen: 0, at: now() }
setInterval(() => {
  if (awaited === Number.POSITIVE_INFINITY || journal.seen !== lastProgress.seen) {
    lastProgress = { seen: journal.seen, at: now() }
  } else if (now() - lastProgress.at > STALLED_MS) {
    awaited = Number.POSITIVE_INFINITY
    send({ kind: 'stalled', seen: journal.seen })
  }
}, 1_000)

function notifyIfSeen(): void {
  if (journal.seen + journal.unknown < awaited) return
  awaited = Number.POSITIVE_INFINITY
  send({ kind: 'seen' })
}

process.on('message', (command: ApiCommand) => {
  switch (command.kind) {
    case 'begin':
      journal = new Journal(command.expected)
      latencyMs = command.latencyMs
      awaited = Number.POSITIVE_INFINITY
      return send({ kind: 'begun' })
    case 'await':
      awaited = command.seen
      return notifyIfSeen()
    case 'report':
      return send({ kind: 'report', report: journal.report() })
    case 'arrivals':
      return send({ kind: 'arrivals', arrivals: journal.arrivals() })
    case 'log':
      return send({ kind: 'log', log: journal.log() })
  }
})
process.once('disconnect', () => process.exit(0))

function send(message: ApiMessage): void {
  process.send?.(message)
}

server.listen(0, '127.0.0.1', () => send({ kind: 'listening', port: (server.address() as AddressInfo).port }))
