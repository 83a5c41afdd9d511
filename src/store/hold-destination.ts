import type { Database } from './database.ts'

/**
 * Holds a destination back for the whole fleet, as a 429 asked; a longer hold stays. What only a person
 * resumes goes on saying why.
 */
export async function holdDestination(
  db: Database,
  destination: string,
  ms: number,
  error: string,
): Promise<void> {
  await db.query(
    `WITH held AS (
       INSERT INTO ${db.names.q}.breakers AS b (destination, held_until, last_error)
       VALUES ($1, clock_timestamp() + make_interval(secs => $2::float8 / 1000), $3)
       ON CONFLICT (destination) DO UPDATE
         SET held_until = greatest(b.held_until, excluded.held_until),
             last_error = CASE WHEN b.state = 'rejecting' OR b.state = 'paused' AND b.retry_at IS NULL THEN b.last_error
                               ELSE excluded.last_error END
       RETURNING 1
     )
     SELECT pg_notify($4, 'breaker') FROM held`,
    [destination, ms, error, db.names.channel],
  )
}
