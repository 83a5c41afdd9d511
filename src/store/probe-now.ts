import type { Database } from './database.ts'

/**
 * Lets the fleet try destinations at once whose breaker waits for its next probe, because their settings have
 * changed. What a person has paused has no time of a probe, and stays paused.
 */
export async function probeNow(db: Database, destinations: readonly string[]): Promise<void> {
  const q = db.names.q
  await db.query(
    `WITH due AS (
       UPDATE ${q}.breakers
       SET retry_at = clock_timestamp()
       WHERE destination = ANY($1::text[]) AND state IN ('open', 'paused') AND retry_at > clock_timestamp()
       RETURNING 1
     )
     SELECT pg_notify($2, 'breaker') FROM due LIMIT 1`,
    [destinations, db.names.channel],
  )
}
