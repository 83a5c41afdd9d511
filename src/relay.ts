/**
 * The relay's side of customerio-outbox: migrate the schema, and deliver what was committed. An app that only enqueues imports
 * `customerio-outbox` and loads nothing of this.
 *
 * @module
 */
export { drain } from './relay/drain/drain.ts'
export type { DrainOptions } from './relay/drain/drain-options.ts'
export type { DrainResult, PendingIntents } from './relay/drain/drain-result.ts'
export type { RelayEvents } from './relay/events.ts'
export type { EncryptionKey } from './encryption/encryption-key.ts'
export {
  InvalidSettingError,
  type OnDead,
  type OnDeadByOperation,
  type RelayEncryption,
  type RelayOptions,
  type WorkspaceOptions,
} from './relay/options.ts'
export { createRelay, type Relay, type StopOptions } from './relay/relay.ts'
export { WrongRegionError } from './relay/wrong-region-error.ts'
export { CopiedDatabaseError, type DatabaseIdentity } from './store/origin/copied-database-error.ts'
export { type MigrateResult, migrate, migrationScript } from './store/migrate/migrate.ts'
export type { MigrateOptions } from './store/migrate/migrate-options.ts'
export { LockedError } from './store/migrate/locked-error.ts'
export { SchemaVersionError } from './store/migrate/schema-version-error.ts'
