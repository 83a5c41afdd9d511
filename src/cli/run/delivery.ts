import type { RelayOptions, WorkspaceOptions } from '../../relay/options.ts'
import type { DeliverySettings } from '../commands/delivery-settings.ts'
import { readConfigFile } from '../settings/config-file.ts'
import { allWorkspaces, workspaceFromEnvironment } from '../settings/workspaces.ts'

export type Workspaces = Readonly<Record<string, WorkspaceOptions>>

/** Reads the environment's workspace once, and the config file's at every call. */
export function workspaceReader(given: DeliverySettings): () => Promise<Workspaces> {
  const fromEnvironment = workspaceFromEnvironment(given)
  const { config } = given
  return async () =>
    allWorkspaces(
      fromEnvironment,
      config === undefined ? undefined : { path: config, workspaces: await readConfigFile(config) },
    )
}

/** The options of `createRelay` and `drain` that the shared flags set. */
export function deliveryOptions(given: DeliverySettings, workspaces: Workspaces): RelayOptions {
  return {
    connectionString: given.databaseUrl,
    schema: given.schema,
    connections: given.connections,
    workspaces,
    checkRegion: given.checkRegion,
    ...(given.encryptionKeys !== undefined && { encryption: { keys: given.encryptionKeys } }),
    acceptCopy: given.acceptCopy,
    workers: given.workers,
    batchSize: given.batchSize,
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
