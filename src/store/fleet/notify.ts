import type { Database } from '../connection/database.ts'

type Notifier = Pick<Database, 'names' | 'query'>

/** Sends a notification, unless the server's notification queue is more than half full. Returns whether it was sent. */
export async function notify(db: Notifier, channel: string, payload: string): Promise<boolean> {
  const [row] = await db.query<{ sent: boolean }>(`SELECT ${db.names.q}.notify($1, $2) AS sent`, [
    channel,
    payload,
  ])
  return row?.sent ?? false
}

/**
 * Notifies every relay to read the breakers' rows. It is a separate statement after the commit of the change, because a
 * failed notification must not undo the change. A relay that misses the notification finds the change with its next poll.
 */
export async function notifyOfBreaker(db: Notifier): Promise<void> {
  await notify(db, db.names.channel, 'breaker').catch(() => {})
}
