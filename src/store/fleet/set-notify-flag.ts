import type { Database } from '../connection/database.ts'

/**
 * Sets whether enqueue sends wake-ups. A sequence holds the flag: `setval` takes effect at once, outside of any
 * transaction, and leaves no dead row.
 */
export async function setNotifyFlag(db: Database, notify: boolean): Promise<void> {
  await db.query('SELECT setval($1::regclass, $2)', [`${db.names.q}.notify_flag`, notify ? 2 : 1])
}
