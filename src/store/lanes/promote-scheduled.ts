import type { Database } from '../connection/database.ts'
import { SCHEDULED_LANE } from './lane.ts'

/**
 * Moves scheduled intents that are due to their lanes. Each gets a new `seq`, so it enters the order as if it were enqueued
 * now. Only one relay promotes at a time, so that two batches of one key cannot overtake each other: it locks a row
 * that only relays may lock.
 *
 * @param served Destinations that this relay serves: it has credentials for them. Scheduled intents of other destinations
 *   stay. A caller may enqueue any number of them for a workspace that no relay serves, and they might be promoted first.
 * @returns how many intents were promoted, at most 1,000.
 */
export async function promoteScheduled(db: Database, served: readonly string[]): Promise<number> {
  const q = db.names.q
  const [row] = await db.query<{ promoted: number }>(
    `WITH lock AS MATERIALIZED (
       SELECT FROM ${q}.locks WHERE name = 'promote' FOR UPDATE SKIP LOCKED
     ), due AS (
       SELECT d.row_id
       FROM lock, unnest($1::text[]) AS s(destination),
         LATERAL (SELECT i.ctid AS row_id, i.seq, i.send_after FROM ${q}.intents i
                  WHERE i.destination = s.destination AND i.lane = ${SCHEDULED_LANE}
                    AND i.send_after <= statement_timestamp()
                  ORDER BY i.send_after, i.seq LIMIT 1000) d
       ORDER BY d.send_after, d.seq LIMIT 1000
     ), removed AS (
       -- By ctid: a join on the key becomes a scan of the whole table as long as the table is small.
       DELETE FROM ${q}.intents i WHERE i.ctid = ANY (ARRAY(SELECT row_id FROM due)) RETURNING i.*
     ), promoted AS (
       INSERT INTO ${q}.intents (destination, lane, id, format, operation, name, payload, ordering_key, priority,
                                 on_ambiguous, enqueued_at, send_after, expires_at)
       SELECT destination, ${q}.lane_of(destination, ordering_key, priority), id, format, operation, name, payload,
              ordering_key, priority, on_ambiguous, enqueued_at, send_after, expires_at
       FROM removed ORDER BY send_after, seq
       RETURNING 1
     )
     SELECT count(*)::int AS promoted FROM promoted`,
    [served],
  )
  return row?.promoted ?? 0
}
