import { cached } from '../../observe/cached.ts'
import { type HealthServer, startHealthServer } from '../../observe/health-server.ts'
import { createMetrics } from '../../observe/metrics.ts'
import { openReader } from '../../observe/reader.ts'
import { readBreakerState } from '../../observe/views/read-breaker-state.ts'
import { readStatus } from '../../observe/views/read-status.ts'
import type { Relay } from '../../relay/relay.ts'
import { namesOf } from '../../store/names.ts'
import type { RelaySettings } from '../commands/relay-settings.ts'
import { SettingError } from '../errors.ts'

/** Milliseconds for which scrapes of /metrics share one read of the views. Health checks share one for half of that. */
const SHARE_READ_MS = 2_000
const READ_TIMEOUT_MS = 5_000

/** Starts the endpoints, with connections of their own, so that a health check does not wait for the relay's work. */
export async function openEndpoints(
  given: Pick<RelaySettings, 'databaseUrl' | 'schema' | 'host'> & { readonly port: number },
  relay: Relay,
  isStarted: () => boolean,
): Promise<HealthServer> {
  const names = namesOf(given.schema)
  const reader = openReader({
    connectionString: given.databaseUrl,
    applicationName: 'customerio-outbox relay health',
    max: 2,
    timeoutMs: READ_TIMEOUT_MS,
  })
  const server = await startHealthServer({
    port: given.port,
    host: given.host,
    isStarted,
    canPoll: () => relay.canPoll,
    pingDatabase: cached(() => reader.query('SELECT 1'), SHARE_READ_MS / 2),
    readBreakers: cached(() => readBreakerState(reader, names), SHARE_READ_MS / 2),
    metrics: createMetrics({
      relay,
      destinations: () => relay.destinations,
      readStatus: cached(() => readStatus(reader, names), SHARE_READ_MS),
    }),
  }).catch((error) => {
    throw new SettingError(
      `cannot listen on ${given.host}:${given.port}: ${error.message}: pass another --host or --port`,
    )
  })
  return {
    port: server.port,
    close: async () => {
      await server.close()
      await reader.close()
    },
  }
}
