import type { Database } from '../connection/database.ts'

/**
 * Tells every enqueue whether a wake-up is wanted. A sequence holds the flag: `setval` takes effect at once,
 * in no transaction, and leaves no dead row behind.
 */
export async function setNotifyFlag(db: Database, idle: boolean): Promise<void> {
  await db.query('SELECT setval($1::regclass, $2)', [`${db.names.q}.notify_flag`, idle ? 2 : 1])
}
