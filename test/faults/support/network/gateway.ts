import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** One request that passed the gateway. Times are values of `performance.now()`. */
export interface Passage {
  readonly path: string
  readonly authorization: string | undefined
  /** The unchanged body that the relay sent. */
  readonly body: Buffer
  readonly startedAt: number
  /** When the request was answered or the relay gave up. Undefined while it is in flight. */
  endedAt: number | undefined
  /** The status of an answer that the relay received completely. */
  status: number | undefined
}

export interface Intercepted {
  readonly passage: Passage
  readonly request: IncomingMessage
  /** The response to the relay. A test that does not forward the request answers with it. */
  readonly response: ServerResponse
  /** Forwards the request to Customer.io and the answer to the relay. The request arrives even if the relay has hung up. */
  forward(): Promise<void>
}

/** Handles a request. If it returns 'pass on', the gateway forwards the request. */
export type Interception = (intercepted: Intercepted) => 'pass on' | unknown

export interface Gateway {
  readonly url: string
  readonly passages: readonly Passage[]
  readonly inFlight: number
  /** Sets the interception of all further requests, instead of the previous one. */
  intercept(interception: Interception): void
  close(): Promise<void>
}

export interface GatewayOptions {
  /** Whether `passages` records requests. A long test switches it off to save the memory of the bodies. Default: true. */
  readonly remember?: boolean
}

/**
 * Starts a proxy between the relay and the fake Customer.io. It records the requests, and can delay a request, drop or delay
 * its answer, or answer with bytes that no HTTP server of this project writes.
 */
export async function startGateway(
  target: { readonly url: string },
  { remember = true }: GatewayOptions = {},
): Promise<Gateway> {
  const passages: Passage[] = []
  let interception: Interception = () => 'pass on'
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    const startedAt = performance.now()
    try {
      for await (const chunk of request) chunks.push(chunk as Buffer)
    } catch {
      return // the relay hung up before the end of its request
    }
    const { url: path = '/', headers } = request
    const body = Buffer.concat(chunks)
    const { authorization } = headers
    const passage: Passage = { path, authorization, body, startedAt, endedAt: undefined, status: undefined }
    if (remember) passages.push(passage)
    response.on('finish', () => {
      passage.status = response.statusCode
    })
    response.on('close', () => {
      passage.endedAt = performance.now()
    })
    const forward = () => passOn(target.url + path, request, body, response)
    if (interception({ passage, request, response, forward }) === 'pass on') await forward()
  })
  server.keepAliveTimeout = 0
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    passages,
    get inFlight() {
      return passages.filter(({ endedAt }) => endedAt === undefined).length
    },
    intercept(next) {
      interception = next
    },
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

async function passOn(
  url: string,
  { method = 'GET', headers }: IncomingMessage,
  body: Buffer,
  response: ServerResponse,
) {
  const kept = ['authorization', 'content-type', 'x-strict-mode']
  const given = kept.flatMap((name) => (headers[name] === undefined ? [] : [[name, String(headers[name])]]))
  const sent = body.length > 0 ? { body } : {}
  const answer = await fetch(url, { method, headers: Object.fromEntries(given), ...sent }).catch(
    () => undefined,
  )
  const text = await answer?.text().catch(() => undefined)
  if (answer === undefined || text === undefined) {
    response.socket?.resetAndDestroy() // the fake has hung up
    return
  }
  if (response.destroyed) return
  response.writeHead(answer.status, {
    'content-type': answer.headers.get('content-type') ?? 'application/json',
    ...(answer.headers.has('retry-after') ? { 'retry-after': answer.headers.get('retry-after') ?? '' } : {}),
  })
  response.end(text)
}

/** The highest number of requests in flight at the same time. */
export function mostAtOnce(passages: readonly Passage[]): number {
  const overlapping = (one: Passage) =>
    passages.filter(
      (other) =>
        other.startedAt <= one.startedAt && (other.endedAt ?? Number.POSITIVE_INFINITY) > one.startedAt,
    ).length
  return Math.max(0, ...passages.map(overlapping))
}
