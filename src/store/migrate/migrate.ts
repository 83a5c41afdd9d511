import pg from 'pg'
import { bossScript, installBoss } from './boss-schema.ts'
import { grantRoles, grantScript } from './grant-roles.ts'
import type { LockWaiting } from './locked-error.ts'
import { withMigrationLock, retryWhileLocked } from './migration-locks.ts'
import { recordStatements, scriptOf } from './migration-script.ts'
import { type Migration, readMigrations } from './migrations.ts'
import { kindOf } from '../../intent/describe.ts'
import { checkOptionNames, failOption } from '../../intent/option-checks.ts'
import { type Names, namesOf } from '../names.ts'
import type { NotGranted } from './not-granted.ts'
import { readSchemaState, type SchemaState } from './schema-version.ts'
import { SchemaVersionError } from './schema-version-error.ts'

/**
 * The options of `migrate` and `migrationScript`.
 *
 * @example
 * ```ts
 * import type { MigrateOptions } from 'customerio-outbox/relay'
 *
 * const options: MigrateOptions = { connectionString, lockWaitMs: 60_000, onWait: console.warn }
 * ```
 */
export interface MigrateOptions extends LockWaiting {
  /** The URL of the database, such as `postgres://user:password@host:5432/database`. */
  readonly connectionString: string
  /**
   * The outbox's schema: a lower-case identifier of 1 to 40 characters.
   *
   * @default 'outbox'
   */
  readonly schema?: string | undefined
}

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
  checkOptions(options)
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
    return await withMigrationLock(client, names, 'the roles', options, async () => {
      const notGranted = await grantRoles(client, names)
      const version = (await schemaState(client, names))?.version ?? 0
      return { applied, version, notGranted }
    })
  } finally {
    await client.end()
  }
}

/** Checks the options before a connection is opened. Without an address, pg would connect to localhost. */
function checkOptions(options: unknown): void {
  const known = ['connectionString', 'schema', 'lockWaitMs', 'onWait'] as const
  const { connectionString, schema, lockWaitMs, onWait } = checkOptionNames(
    options,
    known,
    'the options of migrate',
  )
  const fail = (option: string, expected: string, value: unknown): never =>
    failOption(
      option,
      expected,
      value === undefined ? 'nothing' : value === '' ? 'an empty string' : kindOf(value),
      option,
    )
  if (typeof connectionString !== 'string' || connectionString === '')
    fail(
      'connectionString',
      'to be a URL such as postgres://user:password@host:5432/database',
      connectionString,
    )
  if (schema !== undefined && typeof schema !== 'string') fail('schema', 'to be a string', schema)
  if (lockWaitMs !== undefined && !(typeof lockWaitMs === 'number' && lockWaitMs >= 0))
    fail('lockWaitMs', 'to be a number of milliseconds, 0 or more', lockWaitMs)
  if (onWait !== undefined && typeof onWait !== 'function')
    fail('onWait', 'to be a function (message) => void', onWait)
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
  checkOptions(options)
  const names = namesOf(options.schema)
  const client = new pg.Client({ connectionString: options.connectionString })
  await client.connect()
  try {
    await requireSupportedServer(client)
    const pending = await pendingMigrations(client, names)
    const boss = await bossScript(client, names)
    if (pending.length === 0 && boss === '') return await grantScript(client, names)
    return [scriptOf(names, pending), boss, `SELECT * FROM ${names.q}.grant_roles();`].join('\n')
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
