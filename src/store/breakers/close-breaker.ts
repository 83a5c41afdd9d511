import type { Database } from '../connection/database.ts'
import { notifyOfBreaker } from '../fleet/notify.ts'

/**
 * Closes a breaker whose probe this relay holds, and notifies the fleet, so that the destination's lanes
 * continue at once.
 *
 * @returns whether this call closed it.
 */
export async function closeBreaker(
  db: Database,
  destination: string,
  relayId: string,
  reason: string,
): Promise<boolean> {
  const q = db.names.q
  const rows = await db.query(
    `WITH closed AS (
       UPDATE ${q}.breakers
       SET state = 'closed', failure_count = 0, opened_at = NULL, retry_at = NULL, consecutive_opens = 0,
           probe_relay = NULL, probe_until = NULL
       WHERE destination = $1 AND probe_relay = $2
       RETURNING destination
     ), recorded AS (
       INSERT INTO ${q}.breaker_transitions (destination, at, from_state, to_state, reason, relay_id)
       SELECT $1, clock_timestamp(), 'half_open', 'closed', $3, $2 FROM closed
     )
     SELECT FROM closed`,
    [destination, relayId, reason],
  )
  if (rows.length > 0) await notifyOfBreaker(db)
  return rows.length > 0
}
