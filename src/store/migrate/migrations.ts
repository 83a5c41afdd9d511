import { fileURLToPath } from 'node:url'
import { readMigrationFiles } from 'drizzle-orm/migrator'
import type { Names } from '../names.ts'

/** The folder that the package ships; from `src/store` and from `dist/store` alike. */
export const MIGRATIONS_FOLDER = fileURLToPath(new URL('../../../migrations', import.meta.url))

export interface Migration {
  /** 1 for the first; the schema's version is the highest one applied. */
  readonly version: number
  readonly hash: string
  /**
   * The oldest relay, by the schema's version that it knows, that can work on the schema once this is applied. A
   * migration says so in a line of its own, `-- oldest relay: 9`; without one only relays that know it can. That
   * is the safe side to forget it on: an older relay is refused when it restarts, and never works on what it
   * misunderstands.
   */
  readonly oldestRelay: number
  readonly statements: readonly string[]
}

/** Every migration that this version of the package knows, with the configured names put in. */
export function readMigrations(names: Names): Migration[] {
  return readMigrationFiles({ migrationsFolder: MIGRATIONS_FOLDER }).map((file, index) => ({
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
