import pg from 'pg'
import { cached } from '../observe/cached.ts'
import { type HealthServer, startHealthServer } from '../observe/health-server.ts'
import { createMetrics } from '../observe/metrics.ts'
import { readBreakerState } from '../observe/read-breaker-state.ts'
import { readStatus } from '../observe/read-status.ts'
import type { RelayOptions } from '../relay/options.ts'
import { createRelay, type Relay } from '../relay/relay.ts'
import { namesOf } from '../store/names.ts'
import { SettingError } from './errors.ts'
import { createLogger, logRelay } from './log.ts'
import type { RelaySettings } from './relay.ts'
import { untilSignal } from './shutdown.ts'

/** Scrapes and probes share what was read within this time. */
const READ_AT_MOST_EVERY_MS = 2_000
const READ_TIMEOUT_MS = 5_000

/** Runs a relay, and its endpoints where a port is given, until a signal ends it. */
export async function runRelay(given: RelaySettings): Promise<void> {
  const log = createLogger(given.logLevel)
  const relay = createRelay(relayOptions(given))
  logRelay(log, relay)
  let state: 'starting' | 'started' | 'stopping' = 'starting'
  const signalled = untilSignal({
    timeoutMs: given.shutdownTimeout,
    onSignal: (signal) => {
      state = 'stopping'
      log.info({ signal }, 'stopping')
    },
    onTimeout: () =>
      log.error('not stopped within --shutdown-timeout: lanes come back to the fleet by themselves'),
  })
  const endpoints = await openEndpoints(given, relay, () => state === 'started')
  if (endpoints) log.info({ host: given.host, port: endpoints.port }, 'listening')
  try {
    await Promise.race([relay.start().catch((error) => failStart(relay, error)), signalled])
    if (state === 'starting') {
      state = 'started'
      log.info({ relayId: relay.relayId, schema: namesOf(given.schema).schema }, 'started')
    }
    await signalled
  } finally {
    await relay.stop()
    await endpoints?.close()
  }
  log.info({ relayId: relay.relayId }, 'stopped')
  process.exit(0) // a timer or a socket that somebody left must not keep it
}

/** What else goes wrong while it is taken down again follows from the first error, which is reported. */
function failStart(relay: Relay, error: unknown): never {
  relay.removeAllListeners('error').on('error', () => {})
  throw error
}

function relayOptions(given: RelaySettings): RelayOptions {
  return {
    connectionString: given.databaseUrl,
    schema: given.schema,
    customerio: {
      siteId: given.siteId,
      trackApiKey: given.trackApiKey,
      region: given.region,
      trackUrl: given.trackUrl,
    },
    lanes: given.lanes,
    batchSize: given.batchSize,
    pollIntervalMs: given.pollInterval,
    requestTimeoutMs: given.requestTimeout,
    breaker: {
      failures: given.breakerFailures,
      successes: given.breakerSuccesses,
      halfOpenAfterMs: given.breakerHalfOpenAfter,
      maxHalfOpenAfterMs: given.breakerMaxHalfOpenAfter,
    },
  }
}

/** On a connection of their own: a probe must not wait behind the relay's work. */
async function openEndpoints(
  given: RelaySettings,
  relay: Relay,
  isStarted: () => boolean,
): Promise<HealthServer | undefined> {
  if (given.port === undefined) return undefined
  const names = namesOf(given.schema)
  const pool = new pg.Pool({
    connectionString: given.databaseUrl,
    max: 2,
    application_name: 'customerio-outbox relay health',
    connectionTimeoutMillis: READ_TIMEOUT_MS,
    query_timeout: READ_TIMEOUT_MS,
    statement_timeout: READ_TIMEOUT_MS,
  })
  pool.on('error', () => {}) // the next read says it
  const server = await startHealthServer({
    port: given.port,
    host: given.host,
    isStarted,
    pingDatabase: cached(() => pool.query('SELECT 1'), READ_AT_MOST_EVERY_MS / 2),
    readBreakers: cached(() => readBreakerState(pool, names), READ_AT_MOST_EVERY_MS / 2),
    metrics: createMetrics({
      relay,
      destinations: ['default/track'],
      readStatus: cached(() => readStatus(pool, names), READ_AT_MOST_EVERY_MS),
    }),
  }).catch((error) => {
    throw new SettingError(`cannot listen on ${given.host}:${given.port} (--host, --port): ${error.message}`)
  })
  return {
    port: server.port,
    close: async () => {
      await server.close()
      await pool.end()
    },
  }
}
