import type { Database } from '../connection/database.ts'
import { notifyOfBreaker } from '../fleet/notify.ts'
import { INVALIDATES_EARLIER_WAITS } from './read-breakers.ts'

/**
 * Rate limits a destination for the whole fleet after a 429. An earlier wait that ends later stays. If only an operator
 * can resume the destination, its last error stays too, because that error says why.
 */
export async function rateLimitDestination(
  db: Database,
  destination: string,
  ms: number,
  error: string,
): Promise<void> {
  await db.query(
    `INSERT INTO ${db.names.q}.breakers AS b (destination, rate_limited_until, last_failure_at, last_error)
       VALUES ($1, clock_timestamp() + make_interval(secs => $2::float8 / 1000), clock_timestamp(), $3)
       ON CONFLICT (destination) DO UPDATE
         SET rate_limited_until = CASE WHEN ${INVALIDATES_EARLIER_WAITS} THEN excluded.rate_limited_until
                               ELSE greatest(b.rate_limited_until, excluded.rate_limited_until) END,
             retry_at = CASE WHEN ${INVALIDATES_EARLIER_WAITS} AND b.retry_at > clock_timestamp() THEN clock_timestamp()
                             ELSE b.retry_at END,
             last_failure_at = CASE WHEN b.state = 'rejecting' OR b.state = 'paused' AND b.retry_at IS NULL THEN b.last_failure_at
                                    ELSE excluded.last_failure_at END,
             last_error = CASE WHEN b.state = 'rejecting' OR b.state = 'paused' AND b.retry_at IS NULL THEN b.last_error
                               ELSE excluded.last_error END`,
    [destination, ms, error],
  )
  await notifyOfBreaker(db)
}
