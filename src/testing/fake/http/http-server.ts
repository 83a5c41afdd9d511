import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Answer } from './answers.ts'
import { bodyBytesKept, type RawRequest } from '../routes/parse-request.ts'

/** One request and the ways to end it. Delayed actions are cancelled when the server closes. */
export interface Exchange {
  readonly request: RawRequest
  readonly authorization: string | undefined
  send(answer: Answer): void
  /** Sends the body at one byte per `everyMs` milliseconds. */
  drip(answer: Answer, everyMs: number): void
  /** Resets the connection (TCP RST) instead of answering. */
  reset(): void
  /** Runs `act` after `ms` milliseconds. With 0 it runs synchronously, which keeps the order of requests. */
  after(ms: number, act: () => void): void
}

export interface HttpServer {
  readonly port: number
  close(): Promise<void>
}

/** Starts an HTTP server that passes complete requests to `handle`. Its `close` destroys every connection at once. */
export async function listen(
  port: number,
  host: string,
  handle: (exchange: Exchange) => void,
): Promise<HttpServer> {
  const timers = new Set<NodeJS.Timeout>()
  const server = createServer((message, response) => collect(message, response, timers, handle))
  // Only the caller may time out: the fake must never end a connection that waits.
  server.keepAliveTimeout = 0
  server.requestTimeout = 0
  server.headersTimeout = 0
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, resolve)
  })
  let closing: Promise<void> | undefined
  const close = () => {
    closing ??= new Promise<void>((resolve) => {
      for (const timer of timers) clearTimeout(timer)
      server.close(() => resolve())
      server.closeAllConnections()
    })
    return closing
  }
  return { port: (server.address() as AddressInfo).port, close }
}

function collect(
  message: IncomingMessage,
  response: ServerResponse,
  timers: Set<NodeJS.Timeout>,
  handle: (exchange: Exchange) => void,
): void {
  const { method = 'GET', url = '/', headers } = message
  const query = url.indexOf('?')
  const path = query === -1 ? url : url.slice(0, query)
  const kept = bodyBytesKept(path)
  const chunks: Buffer[] = []
  let bytes = 0
  message.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes <= kept) chunks.push(chunk)
    else chunks.length = 0
  })
  message.on('end', () => {
    const strict = headers['x-strict-mode'] === '1'
    const request = { method, path, bytes, body: Buffer.concat(chunks), strict }
    handle({ request, authorization: headers.authorization, ...responder(response, timers) })
  })
}

function responder(response: ServerResponse, timers: Set<NodeJS.Timeout>) {
  const after = (ms: number, act: () => void): void => {
    if (ms === 0) {
      act()
      return
    }
    const timer = setTimeout(() => {
      timers.delete(timer)
      act()
    }, ms)
    timers.add(timer)
  }
  const drip = (answer: Answer, everyMs: number): void => {
    if (response.destroyed) return
    const body = Buffer.from(answer.body)
    writeHead(response, answer, body.length)
    response.flushHeaders()
    const next = (sent: number): void => {
      if (response.destroyed) return
      if (sent === body.length) response.end()
      else after(everyMs, () => response.write(body.subarray(sent, sent + 1), () => next(sent + 1)))
    }
    next(0)
  }
  return {
    send(answer: Answer): void {
      // The caller may have closed the connection meanwhile.
      if (response.destroyed) return
      writeHead(response, answer, Buffer.byteLength(answer.body))
      response.end(answer.body)
    },
    drip,
    reset(): void {
      response.socket?.resetAndDestroy()
    },
    after,
  }
}

function writeHead(response: ServerResponse, answer: Answer, length: number): void {
  response.writeHead(answer.status, {
    'content-type': answer.contentType ?? 'application/json',
    'content-length': length,
    ...answer.headers,
  })
}
