import { fileURLToPath } from 'node:url'
import { readMigrationFiles } from 'drizzle-orm/migrator'

/** The folder of migrations in the repository. */
export const MIGRATIONS_FOLDER = fileURLToPath(new URL('../../../migrations', import.meta.url))

/** A migration as drizzle-kit wrote it, under the default names. */
export interface MigrationFile {
  /** SHA-256 of the file's text, as Drizzle's migrator computes it. */
  readonly hash: string
  readonly sql: readonly string[]
}

/**
 * Every migration of this version of the package. The build (`scripts/build.ts`) replaces this module by one that has the
 * texts, because a bundle of an app has no folder of migrations beside it.
 */
export function migrationFiles(): readonly MigrationFile[] {
  return readMigrationFiles({ migrationsFolder: MIGRATIONS_FOLDER }).map(({ hash, sql }) => ({ hash, sql }))
}
