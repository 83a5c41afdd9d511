import type { Database } from './database.ts'

/**
 * Gives due intents of the waiting room their lane and a new `seq`: they take their place in the order as if
 * they had been enqueued now. One relay at a time, so that two batches of one key cannot overtake each other.
 *
 * @returns how many were promoted, at most 1,000 a call.
 */
export async function promoteScheduled(db: Database): Promise<number> {
  const q = db.names.q
  const [row] = await db.query<{ promoted: number }>(
    `WITH turn AS MATERIALIZED (
       SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0)) AS mine
     ), due AS (
       SELECT destination, lane, seq FROM ${q}.intents
       WHERE lane = -1 AND send_after <= clock_timestamp() AND (SELECT mine FROM turn)
       ORDER BY send_after, seq LIMIT 1000
     ), taken AS (
       DELETE FROM ${q}.intents i USING due
       WHERE i.destination = due.destination AND i.lane = due.lane AND i.seq = due.seq
       RETURNING i.*
     ), placed AS (
       INSERT INTO ${q}.intents (destination, lane, id, format, operation, payload, ordering_key, priority,
                                 on_ambiguous, enqueued_at, send_after, expires_at)
       SELECT destination, ${q}.lane_of(destination, ordering_key, priority), id, format, operation, payload,
              ordering_key, priority, on_ambiguous, enqueued_at, send_after, expires_at
       FROM taken ORDER BY send_after, seq
       RETURNING 1
     )
     SELECT count(*)::int AS promoted FROM placed`,
    [`promote ${db.names.schema}`],
  )
  return row?.promoted ?? 0
}
