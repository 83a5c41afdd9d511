import type { Database } from '../../store/connection/database.ts'

/**
 * Ends everything that a relay would wait for: the backoff of intents that failed, open breakers, refused credentials and rate
 * limits. A test that fails on purpose and then delivers again has no time to wait. What an operator stopped stays stopped.
 */
export async function endWaits(db: Database): Promise<void> {
  const { q } = db.names
  await db.query(`UPDATE ${q}.intents SET retry_at = NULL WHERE retry_at IS NOT NULL`)
  await db.query(
    `UPDATE ${q}.breakers
     SET state = 'closed', failure_count = 0, opened_at = NULL, retry_at = NULL, consecutive_opens = 0,
         probe_relay = NULL, probe_until = NULL, rate_limited_until = NULL
     WHERE NOT (state = 'rejecting' OR state = 'paused' AND retry_at IS NULL)`,
  )
}
