import { cached } from '../../observe/cached.ts'
import { type HealthServer, startHealthServer } from '../../observe/health-server.ts'
import { createMetrics } from '../../observe/metrics.ts'
import { readBreakerState } from '../../observe/views/read-breaker-state.ts'
import { readStatus } from '../../observe/views/read-status.ts'
import type { RelayOptions, WorkspaceOptions } from '../../relay/options.ts'
import { createRelay, type Relay } from '../../relay/relay.ts'
import { namesOf } from '../../store/names.ts'
import { readConfigFile } from '../settings/config-file.ts'
import { SettingError } from '../errors.ts'
import { redact } from '../output/redact.ts'
import { openReader } from '../process/health-reader.ts'
import { createLogger, type Logger, logRelay } from '../output/log.ts'
import type { RelaySettings } from './relay-settings.ts'
import { untilSignal } from '../process/shutdown.ts'
import { watchConfig } from '../settings/watch-config.ts'
import { allWorkspaces, workspaceOfEnvironment } from '../settings/workspaces.ts'

type Workspaces = Readonly<Record<string, WorkspaceOptions>>

/** Scrapes and probes share what was read within this time. */
const READ_AT_MOST_EVERY_MS = 2_000

/** Runs a relay, and its endpoints where a port is given, until a signal ends it. */
export async function runRelay(given: RelaySettings): Promise<void> {
  const readWorkspaces = workspaceReader(given)
  const workspaces = await readWorkspaces()
  const log = createLogger(given.logLevel)
  const relay = createRelay(relayOptions(given, workspaces))
  logRelay(log, relay)
  const copied = new Promise<never>((_, reject) => relay.once('copyFound', reject))
  copied.catch(() => {}) // it may come before it is waited for
  let state: 'starting' | 'started' | 'stopping' = 'starting'
  const signalled = untilSignal({
    timeoutMs: given.shutdownTimeout,
    onSignal: (signal) => {
      state = 'stopping'
      log.info({ signal }, 'stopping')
    },
    onTimeout: () => log.error('shutdown timed out; other relays take over the lanes'),
  })
  let unwatch: (() => Promise<void>) | undefined
  const endpoints = await openEndpoints(given, relay, () => state === 'started')
  if (endpoints) log.info({ host: given.host, port: endpoints.port }, 'listening')
  try {
    await Promise.race([relay.start().catch((error) => failStart(relay, error)), signalled])
    if (state === 'starting') {
      state = 'started'
      log.info({ relayId: relay.relayId, schema: namesOf(given.schema).schema }, 'started')
      if (given.config !== undefined) unwatch = follow(readWorkspaces, workspaces, relay, log)
    }
    await Promise.race([signalled, copied])
  } finally {
    await unwatch?.()
    await relay.stop({ drainMs: drainMs(given) })
    await endpoints?.close()
  }
  log.info({ relayId: relay.relayId }, 'stopped')
  process.exit(0) // a timer or a socket that somebody left must not keep it
}

/** Of the time to end in, the last part is kept for the requests that are then under way. */
function drainMs({ drain, shutdownTimeout, requestTimeout = 10_000 }: RelaySettings): number {
  return drain ? shutdownTimeout - Math.min(requestTimeout, shutdownTimeout / 2) : 0
}

/** Reads the environment's workspace, which stays, and the config file's, which may change. */
function workspaceReader(given: RelaySettings): () => Promise<Workspaces> {
  const ofEnvironment = workspaceOfEnvironment(given)
  const { config } = given
  return async () =>
    allWorkspaces(
      ofEnvironment,
      config === undefined ? undefined : { path: config, workspaces: await readConfigFile(config) },
    )
}

function follow(
  read: () => Promise<Workspaces>,
  current: Workspaces,
  relay: Relay,
  log: Logger,
): () => Promise<void> {
  return watchConfig({
    read,
    current,
    apply: (workspaces) => relay.updateWorkspaces(workspaces),
    onBroken: (error) =>
      log.error(
        { error: redact(error.message.replaceAll('\n', '; ')) },
        'invalid settings ignored; keeping the previous ones',
      ),
  })
}

/** What else goes wrong while it is taken down again follows from the first error, which is reported. */
function failStart(relay: Relay, error: unknown): never {
  relay.removeAllListeners('error').on('error', () => {})
  throw error
}

function relayOptions(given: RelaySettings, workspaces: Workspaces): RelayOptions {
  return {
    connectionString: given.databaseUrl,
    listenConnectionString: given.listenUrl,
    schema: given.schema,
    connections: given.connections,
    workspaces,
    checkRegion: given.checkRegion,
    acceptCopy: given.acceptCopy,
    lanes: given.lanes,
    batchSize: given.batchSize,
    pollIntervalMs: given.pollInterval,
    requestTimeoutMs: given.requestTimeout,
    breaker: {
      failures: given.breakerFailures,
      successes: given.breakerSuccesses,
      halfOpenAfterMs: given.breakerHalfOpenAfter,
      maxHalfOpenAfterMs: given.breakerMaxHalfOpenAfter,
      rejections: given.breakerRejections,
      rejectionShare: given.breakerRejectionShare,
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
  const reader = openReader(given.databaseUrl)
  const server = await startHealthServer({
    port: given.port,
    host: given.host,
    isStarted,
    canPoll: () => relay.canPoll,
    pingDatabase: cached(() => reader.query('SELECT 1'), READ_AT_MOST_EVERY_MS / 2),
    readBreakers: cached(() => readBreakerState(reader, names), READ_AT_MOST_EVERY_MS / 2),
    metrics: createMetrics({
      relay,
      destinations: () => relay.destinations,
      readStatus: cached(() => readStatus(reader, names), READ_AT_MOST_EVERY_MS),
    }),
  }).catch((error) => {
    throw new SettingError(`cannot listen on ${given.host}:${given.port} (--host, --port): ${error.message}`)
  })
  return {
    port: server.port,
    close: async () => {
      await server.close()
      await reader.close()
    },
  }
}
