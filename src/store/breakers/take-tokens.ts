import type { Database } from '../connection/database.ts'

export interface RateLimit {
  /** Requests per `perMs`. */
  readonly requests: number
  readonly perMs: number
}

/**
 * The share of a limit that may be drawn at once after a time without draws. The steady rate is lower by this share, so
 * that no window of `perMs` has more than `requests` draws. With more, Customer.io would answer 429, and the destination
 * would be rate limited. Tokens that a relay still holds from an earlier draw come on top (see `RateLimiter`).
 */
const BURST = 0.1

/**
 * Draws tokens of a rate limit that the whole fleet shares: the generic cell rate algorithm on one row. It uses the
 * database's clock, so a relay with a wrong clock cannot stop the others. (The maintained rate limiters for Postgres use
 * the host's clock.)
 *
 * No draw sets `arrives_at` more than `perMs` ahead. If `arrives_at` is more than that ahead, the database's clock has
 * stepped back, and the limit starts again.
 *
 * @returns 0 if the tokens were drawn, otherwise the milliseconds to wait before the next call.
 */
export async function takeTokens(
  db: Database,
  name: string,
  count: number,
  limit: RateLimit,
): Promise<number> {
  const burst = Math.max(1, Math.floor(limit.requests * BURST))
  const everyMs = limit.perMs / (limit.requests - burst + 1)
  const [row] = await db.query<{ wait: number }>(
    `WITH drawn AS (
       INSERT INTO ${db.names.q}.rate_limits AS r (name, arrives_at)
       VALUES ($1, clock_timestamp() + make_interval(secs => $2::float8 / 1000))
       ON CONFLICT (name) DO UPDATE
         SET arrives_at = CASE WHEN r.arrives_at > clock_timestamp() + make_interval(secs => $4::float8 / 1000)
                               THEN clock_timestamp() ELSE greatest(r.arrives_at, clock_timestamp()) END
                          + make_interval(secs => $2::float8 / 1000)
         WHERE r.arrives_at <= clock_timestamp() + make_interval(secs => $3::float8 / 1000)
            OR r.arrives_at > clock_timestamp() + make_interval(secs => $4::float8 / 1000)
       RETURNING 0::float8 AS wait
     )
     SELECT wait FROM drawn
     UNION ALL
     SELECT greatest(1, extract(epoch FROM arrives_at - clock_timestamp())::float8 * 1000 - $3::float8)
     FROM ${db.names.q}.rate_limits WHERE name = $1
     LIMIT 1`,
    [name, everyMs * count, Math.max(0, burst - count) * everyMs, limit.perMs],
  )
  // No row: another relay inserted the limit at the same moment.
  return row?.wait ?? 1
}
