import pg from 'pg'
import { bossScript, installBoss } from './boss-schema.ts'
import { eventPlanScript, installEventPlan, type PlanChange } from './event-plan.ts'
import { grantRoles, grantScript } from './grant-roles.ts'
import { withMigrationLock, retryWhileLocked } from './migration-locks.ts'
import { checkMigrateOptions, type MigrateOptions } from './migrate-options.ts'
import { recordStatements, scriptOf } from './migration-script.ts'
import { type Migration, readMigrations } from './migrations.ts'
import { type Names, namesOf } from '../names.ts'
import { encryptionScript, installEncryption } from './required-encryption.ts'
import type { NotGranted } from './not-granted.ts'
import { readSchemaState, type SchemaState } from './schema-version.ts'
import { SchemaVersionError } from './schema-version-error.ts'

/**
 * What `migrate` did.
 *
 * @example
 * ```ts
 * import { migrate, type MigrateResult } from 'customerio-outbox/relay'
 *
 * const { applied, notGranted }: MigrateResult = await migrate({ connectionString })
 * ```
 */
export interface MigrateResult {
  /** The versions that this call applied. Empty if the schema was up to date. */
  readonly applied: readonly number[]
  /** The schema's version. Higher than this package's if a newer package has migrated it. */
  readonly version: number
  /** What happened to the tracking plan of SQL callers. Absent if `events` was not given. */
  readonly plan?: PlanChange
  /**
   * The workspaces that take encrypted payloads only, `*` for all. Absent if `requireEncryption` was not given.
   */
  readonly encrypted?: readonly string[]
  /** Statements for the roles that this user may not run. A user with more rights has to run them. Usually empty. */
  readonly notGranted: readonly NotGranted[]
}

/**
 * Brings the outbox's schema and pg-boss' schema to this package's version, and then the roles and their rights.
 *
 * Safe to run while apps write: it waits for a lock for half a second at a time. Safe to run twice at once: each migration
 * is applied by one of the runs. Safe to repeat after a crash: each migration commits together with its record.
 *
 * @param options The database, the schema, and how long to wait for locks.
 * @returns the applied versions, the schema's version, and the statements that need more rights.
 * @throws {InvalidOptionError} if an option is missing, unknown or of another type. No connection was opened.
 * @throws {SchemaVersionError} if the schema is newer than the package allows, or the server is not supported.
 * @throws {LockedError} if a lock was not available within `lockWaitMs`. Migrations that were applied before stay applied.
 *
 * @example
 * ```ts
 * import { migrate } from 'customerio-outbox/relay'
 *
 * const { applied } = await migrate({ connectionString: process.env.DATABASE_URL ?? '' })
 * ```
 */
export async function migrate(options: MigrateOptions): Promise<MigrateResult> {
  const { plan, encrypted } = checkMigrateOptions(options)
  const names = namesOf(options.schema)
  const client = new pg.Client({ connectionString: options.connectionString })
  client.on('error', () => {}) // a lost connection fails the current statement, which throws
  await client.connect()
  try {
    await requireSupportedServer(client)
    const pending = await withMigrationLock(client, names, 'the table of migrations', options, async () => {
      await client.query(`CREATE SCHEMA IF NOT EXISTS ${names.q}`)
      await client.query(`CREATE SCHEMA IF NOT EXISTS "${names.boss}"`) // pg-boss would create it outside of the lock
      for (const statement of recordStatements(names)) await client.query(statement)
      return pendingMigrations(client, names)
    })
    const applied: number[] = []
    for (const migration of pending) {
      const step = () => apply(client, names, migration)
      const done = await withMigrationLock(client, names, `migration ${migration.version}`, options, step)
      if (done) applied.push(migration.version)
    }
    await retryWhileLocked(client, names, 'the partitions of outbox.delivered', options, () =>
      client.query(`SELECT ${names.q}.ensure_partitions()`),
    )
    await retryWhileLocked(client, names, "pg-boss' schema", options, () => installBoss(client, names))
    const change =
      plan &&
      (await withMigrationLock(client, names, 'the tracking plan', options, () =>
        installEventPlan(client, names, plan),
      ))
    if (encrypted) {
      await withMigrationLock(client, names, 'the required encryption', options, () =>
        installEncryption(client, names, encrypted),
      )
    }
    return await withMigrationLock(client, names, 'the roles', options, async () => {
      const notGranted = await grantRoles(client, names)
      const version = (await schemaState(client, names))?.version ?? 0
      return {
        applied,
        version,
        notGranted,
        ...(change && { plan: change }),
        ...(encrypted && { encrypted }),
      }
    })
  } finally {
    await client.end()
  }
}

/**
 * Writes what `migrate` would run as one script for psql.
 *
 * @param options The database and the schema. The database is read, and not changed.
 * @returns the script, or '' if there is nothing to do.
 * @throws {InvalidOptionError} if an option is missing, unknown or of another type.
 * @throws {SchemaVersionError} if the schema is newer than the package allows, or the server is not supported.
 *
 * @example
 * ```ts
 * import { writeFile } from 'node:fs/promises'
 * import { migrationScript } from 'customerio-outbox/relay'
 *
 * await writeFile('migrate.sql', await migrationScript({ connectionString: process.env.DATABASE_URL ?? '' }))
 * ```
 */
export async function migrationScript(options: MigrateOptions): Promise<string> {
  const { plan, encrypted } = checkMigrateOptions(options)
  const names = namesOf(options.schema)
  const client = new pg.Client({ connectionString: options.connectionString })
  await client.connect()
  try {
    await requireSupportedServer(client)
    const pending = await pendingMigrations(client, names)
    const boss = await bossScript(client, names)
    const events = plan ? await eventPlanScript(client, names, plan) : ''
    const encryption = encrypted ? await encryptionScript(client, names, encrypted) : ''
    if (pending.length === 0 && boss === '') {
      return [events, encryption, await grantScript(client, names)].filter(Boolean).join('\n')
    }
    return [scriptOf(names, pending), boss, events, encryption, `SELECT * FROM ${names.q}.grant_roles();`]
      .filter(Boolean)
      .join('\n')
  } finally {
    await client.end()
  }
}

async function requireSupportedServer(client: pg.Client): Promise<void> {
  const { rows } = await client.query(
    "SELECT current_setting('server_version_num')::int AS version, current_setting('server_encoding') AS encoding",
  )
  const [{ version, encoding }] = rows
  if (version < 140_000) {
    throw new SchemaVersionError(
      `PostgreSQL 14 or newer is needed, this server is ${Math.floor(version / 10_000)}`,
    )
  }
  // Customer.io's limits are bytes of UTF-8. The database counts bytes of its own encoding.
  if (encoding !== 'UTF8') {
    throw new SchemaVersionError(`a database of encoding UTF8 is needed, this one is ${encoding}`)
  }
}

/**
 * Returns the migrations to apply. Returns none if a newer package has migrated the schema and allows this version, so that
 * a deployment can be rolled back.
 */
async function pendingMigrations(client: pg.Client, names: Names): Promise<Migration[]> {
  const known = readMigrations(names)
  const found = await schemaState(client, names)
  if (found && found.oldestRelay > known.length) {
    throw new SchemaVersionError(
      `The schema "${names.schema}" is at version ${found.version} and this package knows ${known.length}: use a newer customerio-outbox`,
    )
  }
  return known.slice(found?.version ?? 0)
}

function schemaState(client: pg.Client, names: Names): Promise<SchemaState | undefined> {
  return readSchemaState(async (text, values = []) => (await client.query(text, [...values])).rows, names)
}

/** Runs in the transaction of `withMigrationLock`. Returns false if another `migrate` has applied the migration. */
async function apply(client: pg.Client, names: Names, migration: Migration): Promise<boolean> {
  const record = `${names.q}.migrations`
  const { rows } = await client.query(`SELECT FROM ${record} WHERE version = $1`, [migration.version])
  if (rows.length > 0) return false
  for (const statement of migration.statements) await client.query(statement)
  await client.query(`INSERT INTO ${record} (version, hash, oldest_relay) VALUES ($1, $2, $3)`, [
    migration.version,
    migration.hash,
    migration.oldestRelay,
  ])
  return true
}
