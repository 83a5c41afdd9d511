import type { Command } from 'commander'
import pg from 'pg'
import { z } from 'zod'
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
import { addDatabaseOptions, addExamples } from './options.ts'
import { readSettings, seconds, settings, wholeNumber } from './settings.ts'
import { untilSignal } from './shutdown.ts'

/** Scrapes and probes share what was read within this time. */
const READ_AT_MOST_EVERY_MS = 2_000
const READ_TIMEOUT_MS = 5_000

const relaySettings = {
  ...settings,
  port: wholeNumber('--port', 0, 65_535).optional(),
  host: z.string().min(1, { error: '--host must be an address to listen on' }).default('0.0.0.0'),
  shutdownTimeout: seconds('--shutdown-timeout', 1, 3_600).default(25_000),
  lanes: wholeNumber('--lanes', 1, 64).optional(),
  batchSize: wholeNumber('--batch-size', 1, 2_000).optional(),
  pollInterval: seconds('--poll-interval', 0.05, 60).optional(),
  requestTimeout: seconds('--request-timeout', 0.1, 120).optional(),
  breakerFailures: wholeNumber('--breaker-failures', 1, 1_000).optional(),
  breakerSuccesses: wholeNumber('--breaker-successes', 1, 100).optional(),
  breakerHalfOpenAfter: seconds('--breaker-half-open-after', 0.01, 3_600).optional(),
  breakerMaxHalfOpenAfter: seconds('--breaker-max-half-open-after', 0.01, 86_400).optional(),
}

type RelaySettings = ReturnType<typeof readSettings<typeof relaySettings>>

/** `customerio-outbox relay` */
export function addRelayCommand(program: Command): void {
  const command = program
    .command('relay')
    .description('deliver what was enqueued; run any number on one database. Logs are JSON lines on stdout')
  addDatabaseOptions(command)
    .option('--port <port>', 'serve /healthz, /readyz, /health/customerio and /metrics (default: no port)')
    .option('--host <address>', 'address to serve them on (default: 0.0.0.0)')
    .option(
      '--shutdown-timeout <seconds>',
      'time to end in after SIGTERM or SIGINT; then exit status 1',
      '25',
    )
    .option('--lanes <number>', 'lanes worked at a time, 1-64 (default: 16)')
    .option('--batch-size <number>', 'intents of one request at most, 1-2000 (default: 1000)')
    .option('--poll-interval <seconds>', 'between looks that no wake-up asked for (default: 1)')
    .option('--request-timeout <seconds>', 'for one request to Customer.io (default: 10)')
    .option('--breaker-failures <number>', 'failures in a row that open the breaker (default: 5)')
    .option('--breaker-successes <number>', 'successes that close it again (default: 3)')
    .option('--breaker-half-open-after <seconds>', 'from opening to the first probe (default: 30)')
    .option(
      '--breaker-max-half-open-after <seconds>',
      'what that grows to, doubled by each failed probe (default: 300)',
    )
    .action(async (flags) => runRelay(readSettings(relaySettings, flags)))
  addExamples(command, [
    ['with probes and metrics', 'relay --port 8080'],
    ['look at it', 'relay --port 8080 & curl -s localhost:8080/health/customerio'],
    [
      'against a stand-in for Customer.io',
      'relay --breaker-half-open-after 1   # with CUSTOMERIO_TRACK_URL set',
    ],
  ])
}

async function runRelay(given: RelaySettings): Promise<void> {
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
