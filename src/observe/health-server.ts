import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { boundConnections } from './bound-connections.ts'
import { cached } from './cached.ts'
import type { Metrics } from './metrics.ts'
import type { BreakerStatus } from './views/read-breaker-state.ts'

export interface HealthServerOptions {
  /** TCP port; 0 takes a free one. */
  readonly port: number
  readonly host: string
  /** Whether the relay takes part in the fleet; false while it starts and once it stops. */
  readonly isStarted: () => boolean
  /** Whether the relay's polls succeed. Default: they do. */
  readonly canPoll?: () => boolean
  /** Rejects while the database does not answer. */
  readonly pingDatabase: () => Promise<unknown>
  readonly readBreakers: () => Promise<readonly BreakerStatus[]>
  readonly metrics: Metrics
}

export interface HealthServer {
  readonly port: number
  close(): Promise<void>
}

interface Answer {
  readonly status: number
  readonly body: string
  readonly contentType: string
}

/** Probes, scrapes and load balancers hold a few each. */
const MAX_CONNECTIONS = 100

/**
 * Serves `/healthz`, `/readyz`, `/health/customerio` and `/metrics`, and nothing else: GET and HEAD only, no
 * payloads, no keys. Slow or large requests are cut off, and a new connection always gets in.
 */
export async function startHealthServer(options: HealthServerOptions): Promise<HealthServer> {
  const routes = routesOf(options)
  const server = createServer(
    {
      maxHeaderSize: 8_192,
      headersTimeout: 5_000,
      requestTimeout: 10_000,
      keepAliveTimeout: 5_000,
      connectionsCheckingInterval: 1_000, // by default Node enforces the first two every 30 s only
    },
    (request, response) => {
      if (response.destroyed || request.socket.destroyed) return
      request.resume() // a body is nothing to us
      const { method = '', url = '/' } = request
      answer(routes, method, url.split('?', 1)[0] ?? '/').then(
        (result) => send(response, result, method),
        () => send(response, json(500, { status: 'error' }), method),
      )
    },
  )
  server.timeout = 10_000 // a client that does not read its answer
  boundConnections(server, MAX_CONNECTIONS)
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
  const render = cached(() => metrics.render(), 0) // scrapes at one time share one rendering
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

/** The worst breaker at the top, as a load balancer or a page wants it, and each destination below. */
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
