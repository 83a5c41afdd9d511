/**
 * The relay's side of customerio-outbox: migrate the schema, and deliver what was committed. An app that only enqueues imports
 * `customerio-outbox` and loads nothing of this.
 *
 * @module
 */
export type { RelayEvents } from './relay/events.ts'
export { InvalidSettingError, type RelayOptions, type WorkspaceOptions } from './relay/options.ts'
export { createRelay, type Relay, type StopOptions } from './relay/relay.ts'
export { WrongRegionError } from './relay/wrong-region-error.ts'
export { CopiedDatabaseError, type DatabaseIdentity } from './store/origin/copied-database-error.ts'
export { type MigrateResult, migrate, migrationScript } from './store/migrate/migrate.ts'
export type { MigrateOptions } from './store/migrate/migrate-options.ts'
export { LockedError } from './store/migrate/locked-error.ts'
export { SchemaVersionError } from './store/migrate/schema-version-error.ts'
