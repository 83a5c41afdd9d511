import type { Names } from '../names.ts'
import { migrationFiles } from './migration-files.ts'

export interface Migration {
  /** 1 for the first migration. The schema's version is that of the latest applied migration. */
  readonly version: number
  readonly hash: string
  /**
   * The lowest schema version that a relay must know to work on the schema after this migration. A migration declares it in
   * a line of its own: `-- oldest relay: 9`. Without the line, a relay must know the migration itself. So a forgotten line is
   * safe: an older relay refuses to start, and never misreads the schema.
   */
  readonly oldestRelay: number
  readonly statements: readonly string[]
}

/** Every migration that this version of the package knows, with the configured names. */
export function readMigrations(names: Names): Migration[] {
  return migrationFiles().map((file, index) => ({
    version: index + 1,
    hash: file.hash,
    oldestRelay: oldestRelayOf(file.sql.join('\n')) ?? index + 1,
    statements: file.sql.map((statement) => withNames(statement, names).trim()).filter(Boolean),
  }))
}

function oldestRelayOf(sql: string): number | undefined {
  const [, version] = sql.match(/^-- oldest relay: (\d+)$/m) ?? []
  return version === undefined ? undefined : Number(version)
}

function withNames(statement: string, names: Names): string {
  return statement.replaceAll('"outbox"', names.q).replaceAll("'outbox:wake'", `'${names.channel}'`)
}
