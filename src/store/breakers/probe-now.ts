import type { Database } from '../connection/database.ts'
import { notifyOfBreaker } from '../fleet/notify.ts'

/**
 * Ends the delay before the next probe of these destinations, because their settings have changed. A destination that an
 * operator paused has no next probe, and stays paused.
 */
export async function probeNow(db: Database, destinations: readonly string[]): Promise<void> {
  const rows = await db.query(
    `UPDATE ${db.names.q}.breakers
     SET retry_at = clock_timestamp()
     WHERE destination = ANY($1::text[]) AND state IN ('open', 'paused') AND retry_at > clock_timestamp()
     RETURNING 1`,
    [destinations],
  )
  if (rows.length > 0) await notifyOfBreaker(db)
}
