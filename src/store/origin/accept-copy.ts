import type { Database } from '../connection/database.ts'

/** Records that the outbox belongs to this database. Every relay then sends from it. */
export async function acceptCopy(db: Database): Promise<void> {
  await db.query(`SELECT ${db.names.q}.accept_copy()`)
}
