import type { Database } from '../connection/database.ts'

/**
 * Registers the workspaces that a relay serves, so that enqueue accepts them without a limit. Frees the names of
 * workspaces that no relay serves and no intent uses.
 *
 * @param served Workspaces that this relay serves: it has credentials for them.
 */
export async function registerWorkspaces(db: Database, served: readonly string[]): Promise<void> {
  await db.query(`SELECT ${db.names.q}.register_workspaces($1)`, [served])
}
