import type { Database } from '../connection/database.ts'

/**
 * Sets whether enqueue sends wake-ups. A sequence holds the flag: `setval` takes effect at once, outside of any
 * transaction, and leaves no dead row.
 */
export async function setNotifyFlag(db: Database, notify: boolean): Promise<void> {
  await db.query('SELECT setval($1::regclass, $2)', [`${db.names.q}.notify_flag`, notify ? 2 : 1])
}

/**
 * Turns wake-ups off if no other relay runs: a relay that was killed may have left them on. Then every commit would notify,
 * and no relay would listen. For a relay that does not listen itself.
 */
export async function clearNotifyFlagIfAlone(db: Database, relayId: string): Promise<void> {
  const { q } = db.names
  await db.query(
    `SELECT setval($1::regclass, 1) WHERE NOT EXISTS (
       SELECT FROM ${q}.relays WHERE relay_id <> $2 AND last_seen_at > now() - interval '30 seconds')`,
    [`${q}.notify_flag`, relayId],
  )
}
