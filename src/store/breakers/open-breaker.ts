import type { Database } from '../connection/database.ts'
import { notifyOfBreaker } from '../fleet/notify.ts'
import { INVALIDATES_EARLIER_WAITS } from './read-breakers.ts'

export interface Opening {
  readonly destination: string
  readonly relayId: string
  /**
   * `paused`: the credential was refused. `rejecting`: most intents were rejected, and an operator has to resume the
   * destination.
   */
  readonly state: 'open' | 'paused' | 'rejecting'
  readonly failureCount: number
  readonly error: string
  /**
   * Milliseconds to the first probe. They double with each opening until the breaker closes. An opening by a refused
   * credential doubles nothing. Null: no relay probes.
   */
  readonly delayMs: number | null
  readonly maxDelayMs: number | null
}

/**
 * Opens a destination's breaker for the whole fleet, notifies every relay, and records the transition. It does
 * so only if the breaker is closed or this relay holds its probe. So a late failure of an earlier request does not postpone
 * the retry.
 *
 * @returns whether this call opened it.
 */
export async function openBreaker(db: Database, opening: Opening): Promise<boolean> {
  const q = db.names.q
  const rows = await db.query(
    `WITH before AS (
       SELECT state FROM ${q}.breakers WHERE destination = $1
     ), opened AS (
       INSERT INTO ${q}.breakers AS b (destination, state, failure_count, last_failure_at, last_error,
                                       opened_at, retry_at, consecutive_opens)
       VALUES ($1, $3, $4, clock_timestamp(), $5, clock_timestamp(),
               clock_timestamp() + make_interval(secs => $6::float8 / 1000), CASE $3 WHEN 'open' THEN 1 ELSE 0 END)
       ON CONFLICT (destination) DO UPDATE
         SET state = excluded.state,
             failure_count = CASE WHEN b.state = 'closed' THEN excluded.failure_count
                                  ELSE greatest(b.failure_count, excluded.failure_count) END,
             last_failure_at = excluded.last_failure_at, last_error = excluded.last_error,
             opened_at = CASE WHEN b.state = 'closed' THEN excluded.opened_at ELSE b.opened_at END,
             retry_at = clock_timestamp()
               + make_interval(secs => least($7::float8, $6::float8 * power(2, least(b.consecutive_opens, 30))) / 1000),
             rate_limited_until = CASE WHEN NOT ${INVALIDATES_EARLIER_WAITS} THEN b.rate_limited_until END,
             consecutive_opens = b.consecutive_opens + excluded.consecutive_opens, probe_relay = NULL, probe_until = NULL
         WHERE b.state = 'closed' OR b.probe_relay = $2
       RETURNING state
     ), recorded AS (
       INSERT INTO ${q}.breaker_transitions (destination, at, from_state, to_state, reason, relay_id)
       SELECT $1, clock_timestamp(), coalesce((SELECT state FROM before), 'closed'), state, $5, $2 FROM opened
     )
     SELECT FROM opened`,
    [
      opening.destination,
      opening.relayId,
      opening.state,
      opening.failureCount,
      opening.error,
      opening.delayMs,
      opening.maxDelayMs,
    ],
  )
  if (rows.length > 0) await notifyOfBreaker(db)
  return rows.length > 0
}
