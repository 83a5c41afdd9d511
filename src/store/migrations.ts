import { fileURLToPath } from 'node:url'
import { readMigrationFiles } from 'drizzle-orm/migrator'
import type { Names } from './names.ts'

/** The folder that the package ships; from `src/store` and from `dist/store` alike. */
export const MIGRATIONS_FOLDER = fileURLToPath(new URL('../../migrations', import.meta.url))

export interface Migration {
  /** 1 for the first; the schema's version is the highest one applied. */
  readonly version: number
  readonly hash: string
  readonly statements: readonly string[]
}

/** Every migration that this version of the package knows, with the configured names put in. */
export function readMigrations(names: Names): Migration[] {
  return readMigrationFiles({ migrationsFolder: MIGRATIONS_FOLDER }).map((file, index) => ({
    version: index + 1,
    hash: file.hash,
    statements: file.sql.map((statement) => withNames(statement, names).trim()).filter(Boolean),
  }))
}

function withNames(statement: string, names: Names): string {
  return statement.replaceAll('"outbox"', names.q).replaceAll("'outbox:wake'", `'${names.channel}'`)
}
