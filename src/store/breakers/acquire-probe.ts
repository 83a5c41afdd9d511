import type { Database } from '../connection/database.ts'
import { CLOCK_STEPPED_BACK, LEASE_ENDED } from './read-breakers.ts'

/**
 * Acquires or renews the fleet's probe of a destination: the right to send one request while its breaker is open and its
 * delay has passed.
 *
 * @param leaseMs Milliseconds until another relay may take the probe. Must be longer than a request may take.
 * @returns whether this relay holds the probe.
 */
export async function acquireProbe(
  db: Database,
  destination: string,
  relayId: string,
  leaseMs: number,
): Promise<boolean> {
  const q = db.names.q
  const rows = await db.query(
    `WITH before AS (
       SELECT state FROM ${q}.breakers WHERE destination = $1
     ), acquired AS (
       UPDATE ${q}.breakers b
       SET state = 'half_open', probe_relay = $2,
           probe_until = clock_timestamp() + make_interval(secs => $3::float8 / 1000)
       WHERE destination = $1
         AND (b.state IN ('open', 'paused') AND (retry_at <= clock_timestamp() OR retry_at IS NOT NULL AND ${CLOCK_STEPPED_BACK})
              OR b.state = 'half_open' AND (probe_relay = $2 OR ${LEASE_ENDED}))
       RETURNING destination
     ), recorded AS (
       INSERT INTO ${q}.breaker_transitions (destination, at, from_state, to_state, reason, relay_id)
       SELECT $1, clock_timestamp(), before.state, 'half_open', 'probing', $2
       FROM acquired, before WHERE before.state <> 'half_open'
     )
     SELECT 1 FROM acquired`,
    [destination, relayId, leaseMs],
  )
  return rows.length > 0
}
