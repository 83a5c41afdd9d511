import type { Database } from '../connection/database.ts'

/**
 * Gives due intents of the waiting room their lane and a new `seq`: they take their place in the order as if
 * they had been enqueued now. One relay at a time, so that two batches of one key cannot overtake each other: it
 * locks a row that only relays may lock.
 *
 * @param served Destinations of this relay. Intents of the others stay in the waiting room: a caller may enqueue
 *   any number of them for a workspace that no relay serves, and they would go first.
 * @returns how many were promoted, at most 1,000 a call.
 */
export async function promoteScheduled(db: Database, served: readonly string[]): Promise<number> {
  const q = db.names.q
  const [row] = await db.query<{ promoted: number }>(
    `WITH turn AS MATERIALIZED (
       SELECT FROM ${q}.locks WHERE name = 'promote' FOR UPDATE SKIP LOCKED
     ), due AS (
       SELECT d.place
       FROM turn, unnest($1::text[]) AS s(destination),
         LATERAL (SELECT i.ctid AS place, i.seq, i.send_after FROM ${q}.intents i
                  WHERE i.destination = s.destination AND i.lane = -1 AND i.send_after <= statement_timestamp()
                  ORDER BY i.send_after, i.seq LIMIT 1000) d
       ORDER BY d.send_after, d.seq LIMIT 1000
     ), taken AS (
       -- By place: a join with the key becomes a scan of the whole table as long as that is small.
       DELETE FROM ${q}.intents i WHERE i.ctid = ANY (ARRAY(SELECT place FROM due)) RETURNING i.*
     ), placed AS (
       INSERT INTO ${q}.intents (destination, lane, id, format, operation, payload, ordering_key, priority,
                                 on_ambiguous, enqueued_at, send_after, expires_at)
       SELECT destination, ${q}.lane_of(destination, ordering_key, priority), id, format, operation, payload,
              ordering_key, priority, on_ambiguous, enqueued_at, send_after, expires_at
       FROM taken ORDER BY send_after, seq
       RETURNING 1
     )
     SELECT count(*)::int AS promoted FROM placed`,
    [served],
  )
  return row?.promoted ?? 0
}
