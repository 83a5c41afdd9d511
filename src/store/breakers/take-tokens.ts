import type { Database } from '../connection/database.ts'

export interface RateLimit {
  /** Requests in `perMs`. */
  readonly requests: number
  readonly perMs: number
}

/**
 * Share of a limit that may be drawn at once, after a pause. The steady rate is lower by as much, so that in no window
 * of `perMs` more than `requests` are drawn: over them Customer.io answers 429, and the destination would be held. What
 * a relay holds in hand from an earlier draw comes on top (see `Limiter`).
 */
const BURST = 0.1

/**
 * Draws tokens of a rate limit that the whole fleet shares: the generic cell rate algorithm on one row, by the
 * database's clock, so that a relay whose clock is off cannot stop the others. (The kept limiters for Postgres
 * count by the clock of the host.)
 *
 * No draw leaves `arrives_at` further ahead than `perMs`. If it is, the database's clock has stepped back since, and
 * the count starts anew.
 *
 * @returns 0 when they were drawn, else how many ms to wait before asking again.
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
  // No row: another relay drew the limit's very first token at this moment. Ask again.
  return row?.wait ?? 1
}
