import type { Database } from '../connection/database.ts'

/** From now on the outbox belongs to this database, for every relay: it is written down. */
export async function acceptCopy(db: Database): Promise<void> {
  await db.query(`SELECT ${db.names.q}.accept_copy()`)
}
