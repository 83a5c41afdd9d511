import type { Database } from '../connection/database.ts'

type Notifier = Pick<Database, 'names' | 'query'>

/** @returns false if the server's queue of notifications is more than half full: nothing was sent. */
export async function notify(db: Notifier, channel: string, payload: string): Promise<boolean> {
  const [row] = await db.query<{ sent: boolean }>(`SELECT ${db.names.q}.notify($1, $2) AS sent`, [
    channel,
    payload,
  ])
  return row?.sent ?? false
}

/**
 * Tells every relay to read the breakers' rows. A statement of its own, after the change is committed: a change must not
 * fail because it cannot be told. Relays that hear nothing find it with their next poll.
 */
export async function notifyOfBreaker(db: Notifier): Promise<void> {
  await notify(db, db.names.channel, 'breaker').catch(() => {})
}
