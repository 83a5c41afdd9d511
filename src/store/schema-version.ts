import type { Database } from './database.ts'
import { readMigrations } from './migrations.ts'

/** The schema, or the server, is not one that this version can work on; the message says what to do. */
export class SchemaVersionError extends Error {
  override readonly name = 'SchemaVersionError'
  readonly code = 'SCHEMA_VERSION'
}

/**
 * Refuses a schema that this version cannot work on. The relay never migrates: that is a deployment's step,
 * with rights that a relay does not have.
 *
 * @throws {SchemaVersionError} with one line that says what to do.
 */
export async function requireSchemaVersion(db: Database): Promise<void> {
  const known = readMigrations(db.names).length
  const [present] = await db.query<{ present: boolean }>('SELECT to_regclass($1) IS NOT NULL AS present', [
    `${db.names.q}.migrations`,
  ])
  const found = present?.present
    ? (await db.query<{ version: number }>(`SELECT max(version) AS version FROM ${db.names.q}.migrations`))[0]
        ?.version
    : undefined
  if (found === known) return
  if (found === undefined) {
    throw new SchemaVersionError(
      `The schema "${db.names.schema}" is not there yet: run \`customerio-outbox migrate\``,
    )
  }
  throw new SchemaVersionError(
    found < known
      ? `The schema "${db.names.schema}" is at version ${found}, this relay needs ${known}: run \`customerio-outbox migrate\``
      : `The schema "${db.names.schema}" is at version ${found}, this relay knows ${known}: upgrade the relay`,
  )
}
