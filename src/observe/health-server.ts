import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { limitConnections } from './limit-connections.ts'
import { cached } from './cached.ts'
import type { Metrics } from './metrics.ts'
import type { BreakerStatus } from './views/read-breaker-state.ts'

/** Options of {@link startHealthServer}. */
export interface HealthServerOptions {
  /** TCP port. 0 chooses a free one. */
  readonly port: number
  /** Address to listen on. */
  readonly host: string
  /** Whether the relay is in the fleet. False while it starts and after it stops. */
  readonly isStarted: () => boolean
  /** Whether the last poll of the relay succeeded. Default: true. */
  readonly canPoll?: () => boolean
  /** Rejects if the database does not answer. */
  readonly pingDatabase: () => Promise<unknown>
  /** Reads the breakers of the fleet. Rejects if the database does not answer. */
  readonly readBreakers: () => Promise<readonly BreakerStatus[]>
  readonly metrics: Metrics
}

/** A running health server. */
export interface HealthServer {
  /** The TCP port that it listens on. */
  readonly port: number
  /** Closes the server and all connections. */
  close(): Promise<void>
}

interface Answer {
  readonly status: number
  readonly body: string
  readonly contentType: string
}

/** Far more than probes, scrapes and load balancers need: each holds a few. */
const MAX_CONNECTIONS = 100

/** Milliseconds for which scrapes share one rendering, so that a client that scrapes without a pause does not keep the relay busy. */
const SHARED_MS = 100

/**
 * Serves `/healthz`, `/readyz`, `/health/customerio` and `/metrics`, with GET and HEAD only. No answer holds a payload or a
 * key. The server cuts off slow and large requests, and always accepts a new connection.
 *
 * @returns the server, once it listens.
 * @throws {Error} if the port cannot be opened.
 */
export async function startHealthServer(options: HealthServerOptions): Promise<HealthServer> {
  const routes = routesOf(options)
  const server = createServer(
    {
      maxHeaderSize: 8_192,
      headersTimeout: 5_000,
      requestTimeout: 10_000,
      keepAliveTimeout: 5_000,
      connectionsCheckingInterval: 1_000, // Node's default checks both timeouts every 30 s only
    },
    (request, response) => {
      if (response.destroyed || request.socket.destroyed) return
      request.resume() // discards the body
      const { method = '', url = '/' } = request
      answer(routes, method, url.split('?', 1)[0] ?? '/').then(
        (result) => send(response, result, method),
        () => send(response, json(500, { status: 'error' }), method),
      )
    },
  )
  server.timeout = 10_000 // closes connections whose client does not read the answer
  limitConnections(server, MAX_CONNECTIONS)
  server.maxRequestsPerSocket = 1_000
  await listen(server, options)
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

type Routes = Readonly<Record<string, () => Promise<Answer>>>

function routesOf(options: HealthServerOptions): Routes {
  const { metrics } = options
  const render = cached(() => metrics.render(), SHARED_MS)
  return Object.assign(Object.create(null), {
    '/healthz': async () => json(200, { status: 'ok' }),
    '/readyz': () => ready(options),
    '/health/customerio': () => customerIo(options),
    '/metrics': async () => ({ status: 200, body: await render(), contentType: metrics.contentType }),
  })
}

async function answer(routes: Routes, method: string, path: string): Promise<Answer> {
  const route = routes[path]
  if (!route) return json(404, { error: 'not found' })
  if (method !== 'GET' && method !== 'HEAD') return json(405, { error: 'GET and HEAD only' })
  return route()
}

async function ready({ isStarted, canPoll, pingDatabase }: HealthServerOptions): Promise<Answer> {
  if (!isStarted()) return json(503, { status: 'the relay is not running' })
  return pingDatabase().then(
    () =>
      canPoll?.() === false ? json(503, { status: 'the relay cannot poll' }) : json(200, { status: 'ready' }),
    () => json(503, { status: 'the database does not answer' }),
  )
}

const SEVERITY = { closed: 0, half_open: 1, open: 2, paused: 3, rejecting: 4 } as const

/** Answers with the worst breaker at the top level, for a load balancer or a dashboard, and all destinations below it. */
async function customerIo({ readBreakers }: HealthServerOptions): Promise<Answer> {
  const breakers = await readBreakers().catch(() => undefined)
  if (!breakers) return json(503, { circuit_state: 'unknown', error: 'the database does not answer' })
  const worst = breakers.toSorted((a, b) => SEVERITY[b.state] - SEVERITY[a.state])[0]
  return json((worst?.state ?? 'closed') === 'closed' ? 200 : 503, {
    circuit_state: worst?.state ?? 'closed',
    failure_count: worst?.failureCount ?? 0,
    last_failure: worst?.lastFailureAt ?? null,
    destinations: Object.fromEntries(breakers.map((row) => [row.destination, describe(row)])),
  })
}

function describe({ state, failureCount, lastFailureAt, retryAt }: BreakerStatus) {
  return {
    circuit_state: state,
    failure_count: failureCount,
    last_failure: lastFailureAt,
    retry_at: state === 'closed' ? null : retryAt,
  }
}

function json(status: number, body: object): Answer {
  return { status, body: `${JSON.stringify(body)}\n`, contentType: 'application/json' }
}

function send(response: ServerResponse, { status, body, contentType }: Answer, method: string): void {
  response.writeHead(status, {
    'content-type': contentType,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    ...(status === 405 ? { allow: 'GET, HEAD' } : {}),
  })
  response.end(method === 'HEAD' ? undefined : body)
}

function listen(server: Server, { port, host }: HealthServerOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ port, host, backlog: 4_096 }, () => {
      server.off('error', reject)
      resolve()
    })
  })
}
