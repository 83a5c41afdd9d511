/**
 * The stand-in for Customer.io that every peer speaks to, in a process of its own: takes single calls (v1) and
 * batches (v2), waits as long as it was told, answers `{}`. Its parent steers it by messages.
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
  request.on('end', () => take(request, Buffer.concat(chunks), response))
})
server.keepAliveTimeout = 60_000

function take(request: IncomingMessage, body: Buffer, response: ServerResponse): void {
  if (request.url === REGION) answer(response, 200, '{"region":"us","data_center":"us"}')
  else if (request.method === 'POST' && EVENTS.test(request.url ?? '')) takeEvents(body, response)
  else answer(response, 404, '{}')
}

function takeEvents(body: Buffer, response: ServerResponse): void {
  const at = now()
  const current = journal
  current.request(at)
  readRefs(body.toString('latin1'), (ref, id) => current.operation(ref, id, at))
  const done = () => {
    answer(response, 200, '{}')
    current.answered(now())
    if (current === journal) tellSeen()
  }
  if (latencyMs === 0) done()
  else setTimeout(done, latencyMs)
}

function answer(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': body.length }).end(body)
}

/** Says once that what is awaited no longer comes. */
let lately = { seen: 0, at: now() }
setInterval(() => {
  if (awaited === Number.POSITIVE_INFINITY || journal.seen !== lately.seen) {
    lately = { seen: journal.seen, at: now() }
  } else if (now() - lately.at > STALLED_MS) {
    awaited = Number.POSITIVE_INFINITY
    tell({ kind: 'stalled', seen: journal.seen })
  }
}, 1_000)

function tellSeen(): void {
  if (journal.seen + journal.unknown < awaited) return
  awaited = Number.POSITIVE_INFINITY
  tell({ kind: 'seen' })
}

process.on('message', (command: ApiCommand) => {
  switch (command.kind) {
    case 'begin':
      journal = new Journal(command.expected)
      latencyMs = command.latencyMs
      awaited = Number.POSITIVE_INFINITY
      return tell({ kind: 'begun' })
    case 'await':
      awaited = command.seen
      return tellSeen()
    case 'report':
      return tell({ kind: 'report', report: journal.report() })
    case 'arrivals':
      return tell({ kind: 'arrivals', arrivals: journal.arrivals() })
    case 'log':
      return tell({ kind: 'log', log: journal.log() })
  }
})
process.once('disconnect', () => process.exit(0))

function tell(message: ApiMessage): void {
  process.send?.(message)
}

server.listen(0, '127.0.0.1', () => tell({ kind: 'listening', port: (server.address() as AddressInfo).port }))
