import pg from 'pg'
import { getConstructionPlans, getMigrationPlans, PgBoss } from 'pg-boss'
import { withRowLocks } from '../jobs/boss-locks.ts'
import { grantRoles, grantScript, type NotGranted } from './grant-roles.ts'
import {
  inTransaction,
  withMigrationLock,
  type LockWaiting,
  SHORT_LOCKS,
  retryWhileLocked,
} from './migration-locks.ts'
import { type Migration, readMigrations } from './migrations.ts'
import { kindOf } from '../../intent/describe.ts'
import { checkOptionNames, failOption } from '../../intent/option-checks.ts'
import { type Names, namesOf } from '../names.ts'
import { readSchemaState, type SchemaState, SchemaVersionError } from './schema-version.ts'

export interface MigrateOptions extends LockWaiting {
  readonly connectionString: string
  /** Default: `outbox`. */
  readonly schema?: string | undefined
}

export interface MigrateResult {
  /** Versions that this call applied; empty where there was nothing to do. */
  readonly applied: readonly number[]
  /** What the schema is at now: ahead of this package where a newer one, that says so, has migrated it. */
  readonly version: number
  /** What the roles still want and this user may not do, to be run by somebody who may; mostly empty. */
  readonly notGranted: readonly NotGranted[]
}

/**
 * Brings the outbox' schema and pg-boss' own to this package's version. Safe to run twice at once (each
 * migration is applied by one of them) and again after it was killed: each migration commits
 * together with its record. Ends with the roles and their rights. While apps write: no lock is waited for longer
 * than half a second at a time.
 *
 * @throws InvalidOptionError if an option is missing, unknown or of another kind: nothing was connected to.
 * @throws LockedError where one could not be had within `lockWaitMs`; what was applied before stays.
 */
export async function migrate(options: MigrateOptions): Promise<MigrateResult> {
  checkOptions(options)
  const names = namesOf(options.schema)
  const client = new pg.Client({ connectionString: options.connectionString })
  client.on('error', () => {}) // a connection that is lost fails the statement that runs, which is thrown
  await client.connect()
  try {
    await requireSupportedServer(client)
    const pending = await withMigrationLock(client, names, 'the table of migrations', options, async () => {
      await client.query(`CREATE SCHEMA IF NOT EXISTS ${names.q}`)
      await client.query(`CREATE SCHEMA IF NOT EXISTS "${names.boss}"`) // pg-boss would make it out of turn
      for (const statement of recordStatements(names)) await client.query(statement)
      return pendingMigrations(client, names)
    })
    const applied: number[] = []
    for (const migration of pending) {
      const step = () => apply(client, names, migration)
      const done = await withMigrationLock(client, names, `migration ${migration.version}`, options, step)
      if (done) applied.push(migration.version)
    }
    await retryWhileLocked(client, names, 'a day of outbox.delivered', options, () =>
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

/** pg connects to localhost if it is given no address. */
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
 * What `migrate` would run, as one script for psql.
 *
 * @throws InvalidOptionError as `migrate` does.
 */
export async function migrationScript(options: MigrateOptions): Promise<string> {
  checkOptions(options)
  const names = namesOf(options.schema)
  const client = new pg.Client({ connectionString: options.connectionString })
  await client.connect()
  try {
    await requireSupportedServer(client)
    const parts = [
      `CREATE SCHEMA IF NOT EXISTS ${names.q};`,
      ...recordStatements(names).map((statement) => `${statement};`),
    ]
    const pending = await pendingMigrations(client, names)
    for (const { version, hash, oldestRelay, statements } of pending) {
      parts.push('BEGIN;', SHORT_LOCKS, ...statements.map((s) => (s.endsWith(';') ? s : `${s};`)))
      parts.push(
        `INSERT INTO ${names.q}.migrations (version, hash, oldest_relay) VALUES (${version}, '${hash}', ${oldestRelay});`,
        'COMMIT;',
      )
    }
    parts.push(`SELECT ${names.q}.ensure_partitions();`)
    const boss = await bossScript(client, names)
    if (pending.length === 0 && boss === '') return await grantScript(client, names)
    return [...parts, boss, `SELECT * FROM ${names.q}.grant_roles();`].join('\n')
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
  // Customer.io's limits are bytes of UTF-8, and the database counts in its own.
  if (encoding !== 'UTF8') {
    throw new SchemaVersionError(`a database of encoding UTF8 is needed, this one is ${encoding}`)
  }
}

/** The record of what was applied; the column came later than the table. */
function recordStatements({ q }: Names): string[] {
  return [
    `CREATE TABLE IF NOT EXISTS ${q}.migrations (
  version integer PRIMARY KEY, hash text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())`,
    `ALTER TABLE ${q}.migrations ADD COLUMN IF NOT EXISTS oldest_relay integer`,
  ]
}

/** None where a newer package has migrated, and says that this version can work on it: a rollback deploys too. */
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

/** Within the turn's transaction; false where another `migrate` has applied it meanwhile. */
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

/** On our connection, with our patience for locks in place of its own 30 s: lanes are handed out meanwhile. */
async function installBoss(client: pg.Client, names: Names): Promise<void> {
  const executeSql = async (text: string, values?: unknown[]) => {
    const statement = withRowLocks(text, names, SHORT_LOCKS)
    if (!/^\s*BEGIN;/.test(text)) return inTransaction(client, () => client.query(statement, values))
    try {
      return await client.query(statement, values)
    } catch (error) {
      await client.query('ROLLBACK').catch(() => {}) // it begins transactions in its texts; a lost one is rolled back
      throw error
    }
  }
  const boss = new PgBoss({
    db: { executeSql },
    schema: names.boss,
    supervise: false,
    schedule: false,
    registerInstance: false,
  })
  boss.on('error', () => {})
  try {
    await boss.start()
  } finally {
    await boss.stop({ graceful: false })
  }
}

async function bossScript(client: pg.Client, names: Names): Promise<string> {
  const { rows } = await client.query('SELECT to_regclass($1) IS NOT NULL AS present', [
    `${names.boss}.version`,
  ])
  if (!rows[0].present) return withRowLocks(getConstructionPlans(names.boss), names)
  const { rows: versions } = await client.query(`SELECT version FROM ${names.boss}.version`)
  try {
    return withRowLocks(getMigrationPlans(names.boss, versions[0].version), names)
  } catch {
    return '' // pg-boss throws where its schema is at the newest version
  }
}
