import type { Database } from '../connection/database.ts'

/**
 * Registers the workspaces that a relay serves, so that enqueue takes them without limit, and frees the names of
 * those that no relay serves and no intent uses any more.
 */
export async function registerWorkspaces(db: Database, served: readonly string[]): Promise<void> {
  await db.query(`SELECT ${db.names.q}.register_workspaces($1)`, [served])
}
