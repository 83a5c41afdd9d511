import pgBoss from 'pg-boss/package.json' with { type: 'json' }
import type { Database } from '../connection/database.ts'
import { migrationFiles } from './migration-files.ts'
import type { Names } from '../names.ts'
import { SchemaVersionError } from './schema-version-error.ts'

/** The version of a database's schema. */
export interface SchemaState {
  readonly version: number
  /** The lowest schema version that a relay must know to work on the schema. */
  readonly oldestRelay: number
}

/** The schema that a relay found when it started. */
export interface SchemaFound {
  /** The schema's version. It may be higher than `supported`. */
  readonly version: number
  /** The highest version that the relay knows. */
  readonly supported: number
}

/** The highest schema version that this package knows. */
export function supportedSchemaVersion(): number {
  return migrationFiles().length
}

/** The version of pg-boss' schema that the installed pg-boss works on. It works on no other. */
export const BOSS_SCHEMA_VERSION: number = pgBoss.pgboss.schema

type Query = <Row extends object>(text: string, values?: readonly unknown[]) => Promise<Row[]>

/** @returns undefined if the database was never migrated. */
export async function readSchemaState(query: Query, names: Names): Promise<SchemaState | undefined> {
  const [table] = await query<{ present: boolean }>('SELECT to_regclass($1) IS NOT NULL AS present', [
    `${names.q}.migrations`,
  ])
  if (!table?.present) return undefined
  // The row is read as JSON, because an older table has no column `oldest_relay`.
  const [row] = await query<{ version: number | null; oldest: number }>(
    `SELECT max(version) AS version, max(coalesce((to_jsonb(m) ->> 'oldest_relay')::int, version)) AS oldest
     FROM ${names.q}.migrations m`,
  )
  return row?.version == null ? undefined : { version: row.version, oldestRelay: row.oldest }
}

/**
 * Refuses a schema that this version cannot work on. A newer schema is accepted if its migrations allow it, so that
 * `migrate` may run before the relays are upgraded. The relay never migrates: that is a step of the deployment, and needs
 * rights that a relay does not have.
 *
 * @throws {SchemaVersionError} with one line that says what to do.
 */
export async function requireSchemaVersion(db: Database): Promise<SchemaFound> {
  const supported = supportedSchemaVersion()
  const found = await readSchemaState((text, values) => db.query(text, values), db.names)
  const schema = `The schema "${db.names.schema}"`
  if (!found) {
    throw new SchemaVersionError(`${schema} does not exist: run \`customerio-outbox migrate\``)
  }
  const { version, oldestRelay } = found
  if (version < supported) {
    throw new SchemaVersionError(
      `${schema} is at version ${version}, this relay needs ${supported}: run \`customerio-outbox migrate\``,
    )
  }
  if (oldestRelay > supported) {
    throw new SchemaVersionError(
      `${schema} is at version ${version}, this relay knows ${supported}: upgrade the relay to one that knows ${oldestRelay}`,
    )
  }
  await requireBossVersion(db)
  return { version, supported }
}

/** Refuses a schema of another pg-boss version than the installed one: pg-boss works on its own version only. */
async function requireBossVersion(db: Database): Promise<void> {
  const known = BOSS_SCHEMA_VERSION
  const [row] = await db.query<{ version: number }>(`SELECT version FROM ${db.names.boss}.version`)
  if (!row) {
    throw new SchemaVersionError(
      `The schema "${db.names.boss}" has lost the row of its version: drop it (DROP SCHEMA "${db.names.boss}" CASCADE; it holds no intents) and run \`customerio-outbox migrate\``,
    )
  }
  const version = Number(row.version)
  if (version === known) return
  throw new SchemaVersionError(
    `The schema "${db.names.boss}" is at version ${version}, the pg-boss of this relay needs ${known}: ${
      version < known ? 'run `customerio-outbox migrate`' : 'upgrade the relay'
    }`,
  )
}
