import type { Database } from '../connection/database.ts'
import { INVALIDATES_EARLIER_WAITS } from './read-breakers.ts'

/** Records a closed breaker's count of consecutive failures, for operators and the fleet. The count is 0 after a success. */
export async function recordFailures(
  db: Database,
  destination: string,
  failureCount: number,
  error: string | undefined,
): Promise<void> {
  await db.query(
    `INSERT INTO ${db.names.q}.breakers AS b (destination, failure_count, last_failure_at, last_error)
     VALUES ($1, $2, CASE WHEN $3::text IS NULL THEN NULL ELSE clock_timestamp() END, $3)
     ON CONFLICT (destination) DO UPDATE
       SET failure_count = excluded.failure_count,
           last_failure_at = coalesce(excluded.last_failure_at, b.last_failure_at),
           last_error = coalesce(excluded.last_error, b.last_error),
           rate_limited_until = CASE WHEN excluded.last_failure_at IS NULL OR NOT ${INVALIDATES_EARLIER_WAITS} THEN b.rate_limited_until END
       WHERE b.state = 'closed'`,
    [destination, failureCount, error ?? null],
  )
}
