import type { HealthServer } from '../../observe/health-server.ts'
import type { RelayOptions } from '../../relay/options.ts'
import { createRelay, type Relay } from '../../relay/relay.ts'
import { namesOf } from '../../store/names.ts'
import { redact } from '../output/redact.ts'
import { createLogger, type Logger, logRelay } from '../output/log.ts'
import type { RelaySettings } from '../commands/relay-settings.ts'
import { untilSignal } from '../process/shutdown.ts'
import { watchConfig } from '../settings/watch-config.ts'
import { deliveryOptions, workspaceReader, type Workspaces } from './delivery.ts'

/** Runs a relay, and its endpoints if a port is given, until a signal ends it. */
export async function runRelay(given: RelaySettings): Promise<void> {
  const readWorkspaces = workspaceReader(given)
  const workspaces = await readWorkspaces()
  const log = createLogger(given.logLevel)
  const relay = createRelay(relayOptions(given, workspaces))
  logRelay(log, relay)
  const copied = new Promise<never>((_, reject) => relay.once('copyFound', reject))
  copied.catch(() => {}) // may reject before the race below awaits it
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
  const endpoints = await endpointsOf(given, relay, () => state === 'started')
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
  process.exit(0) // a forgotten timer or socket must not keep the process
}

/** Milliseconds to drain: the grace period, less one request timeout (at most half) for requests in flight. */
function drainMs({ drain, shutdownTimeout, requestTimeout = 10_000 }: RelaySettings): number {
  return drain ? shutdownTimeout - Math.min(requestTimeout, shutdownTimeout / 2) : 0
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
    onInvalid: (error) =>
      log.error(
        { error: redact(error.message.replaceAll('\n', '; ')) },
        'invalid settings ignored; keeping the previous ones',
      ),
  })
}

/** Throws the error, and silences the errors of the shutdown, which follow from it. */
function failStart(relay: Relay, error: unknown): never {
  relay.removeAllListeners('error').on('error', () => {})
  throw error
}

function relayOptions(given: RelaySettings, workspaces: Workspaces): RelayOptions {
  return {
    ...deliveryOptions(given, workspaces),
    listenConnectionString: given.listenUrl,
    pollIntervalMs: given.pollInterval,
  }
}

/** Loads the endpoints' code, which includes prom-client's, only if a port is given. */
async function endpointsOf(
  { port, ...given }: RelaySettings,
  relay: Relay,
  isStarted: () => boolean,
): Promise<HealthServer | undefined> {
  if (port === undefined) return undefined
  const { openEndpoints } = await import('./open-endpoints.ts')
  return openEndpoints({ ...given, port }, relay, isStarted)
}
