import pgBoss from 'pg-boss/package.json' with { type: 'json' }
import type { Database } from '../connection/database.ts'
import { readMigrations } from './migrations.ts'
import type { Names } from '../names.ts'

/** The schema, or the server, is not one that this version can work on; the message says what to do. */
export class SchemaVersionError extends Error {
  override readonly name = 'SchemaVersionError'
  readonly code = 'SCHEMA_VERSION'
}

/** What a database's schema has come to. */
export interface SchemaState {
  readonly version: number
  /** The oldest relay that can work on it, by the schema's version that it knows. */
  readonly oldestRelay: number
}

/** What a relay found when it started: `version` may be ahead of what it knows. */
export interface SchemaFound {
  readonly version: number
  readonly supported: number
}

type Query = <Row extends object>(text: string, values?: readonly unknown[]) => Promise<Row[]>

/** The schema's state, or undefined where it was never migrated. */
export async function readSchemaState(query: Query, names: Names): Promise<SchemaState | undefined> {
  const [table] = await query<{ present: boolean }>('SELECT to_regclass($1) IS NOT NULL AS present', [
    `${names.q}.migrations`,
  ])
  if (!table?.present) return undefined
  // By way of JSON, because the column came later than the table.
  const [row] = await query<{ version: number | null; oldest: number }>(
    `SELECT max(version) AS version, max(coalesce((to_jsonb(m) ->> 'oldest_relay')::int, version)) AS oldest
     FROM ${names.q}.migrations m`,
  )
  return row?.version == null ? undefined : { version: row.version, oldestRelay: row.oldest }
}

/**
 * Refuses a schema that this version cannot work on. One that is newer is taken where its migrations say so, so
 * that `migrate` may run before the relays are upgraded. The relay never migrates: that is a deployment's step,
 * with rights that a relay does not have.
 *
 * @throws {SchemaVersionError} with one line that says what to do.
 */
export async function requireSchemaVersion(db: Database): Promise<SchemaFound> {
  const supported = readMigrations(db.names).length
  const found = await readSchemaState((text, values) => db.query(text, values), db.names)
  const schema = `The schema "${db.names.schema}"`
  if (!found) {
    throw new SchemaVersionError(`${schema} is not there yet: run \`customerio-outbox migrate\``)
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

/** pg-boss takes no other version of its schema than its own. */
async function requireBossVersion(db: Database): Promise<void> {
  const known = pgBoss.pgboss.schema
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
