import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** One request as it passed. Times are those of `performance.now()`. */
export interface Passage {
  readonly path: string
  readonly authorization: string | undefined
  /** What the relay sent, byte for byte. */
  readonly body: Buffer
  readonly startedAt: number
  /** Undefined while it is under way; also set where the relay gave up. */
  endedAt: number | undefined
  /** Of the answer that the relay was given in full. */
  status: number | undefined
}

export interface Intercepted {
  readonly passage: Passage
  readonly request: IncomingMessage
  /** To be answered, in whatever way, instead of Customer.io. */
  readonly response: ServerResponse
  /** Passes it on and the answer back. Also after the relay has hung up: then Customer.io gets it late. */
  forward(): Promise<void>
}

/** What to do with a request; it is passed on where this does nothing. */
export type Interception = (intercepted: Intercepted) => 'pass on' | unknown

export interface Gateway {
  readonly url: string
  readonly passages: readonly Passage[]
  readonly inFlight: number
  /** For every further request, in place of what was said before. */
  intercept(interception: Interception): void
  close(): Promise<void>
}

export interface GatewayOptions {
  /** Whether `passages` is kept: every body of a long test takes memory. Default: true. */
  readonly remember?: boolean
}

/**
 * A proxy between the relay and the fake Customer.io: it sees how many requests are under way, can hold one back, lose its
 * answer, deliver it late, or answer with bytes that no HTTP server of this project would write.
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
      return // hung up before it had said all
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

/** The most requests that were under way at the same time. */
export function mostAtOnce(passages: readonly Passage[]): number {
  const overlapping = (one: Passage) =>
    passages.filter(
      (other) =>
        other.startedAt <= one.startedAt && (other.endedAt ?? Number.POSITIVE_INFINITY) > one.startedAt,
    ).length
  return Math.max(0, ...passages.map(overlapping))
}
