import type { Database } from '../connection/database.ts'
import { CLOCK_STEPPED_BACK, LEASE_ENDED } from './read-breakers.ts'

/**
 * Takes, or renews, the one probe in the fleet: the right to try a destination whose breaker is open and due.
 *
 * @param leaseMs How long it belongs to the relay without a word: longer than one request may take.
 * @returns whether this relay holds it now.
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
     ), taken AS (
       UPDATE ${q}.breakers b
       SET state = 'half_open', probe_relay = $2,
           probe_until = clock_timestamp() + make_interval(secs => $3::float8 / 1000)
       WHERE destination = $1
         AND (b.state IN ('open', 'paused') AND (retry_at <= clock_timestamp() OR retry_at IS NOT NULL AND ${CLOCK_STEPPED_BACK})
              OR b.state = 'half_open' AND (probe_relay = $2 OR ${LEASE_ENDED}))
       RETURNING destination
     ), kept AS (
       INSERT INTO ${q}.breaker_transitions (destination, at, from_state, to_state, reason, relay_id)
       SELECT $1, clock_timestamp(), before.state, 'half_open', 'probing', $2
       FROM taken, before WHERE before.state <> 'half_open'
     )
     SELECT 1 FROM taken`,
    [destination, relayId, leaseMs],
  )
  return rows.length > 0
}
