-- The views that show the state of the outbox to operators, monitoring and relays. No view reads a whole backlog.

-- Where a poll of a lane may begin: every intent up to the seq `watermark` is settled, and no open transaction can still
-- commit one.
--
-- lanes.watermark is below every seq of the transactions that were open when it was written. lanes.provisional_watermark
-- may be above seqs of the transactions in provisional_xids, which were open too. It is valid while none of them has ended in
-- the reader's snapshot. So neither an old snapshot nor a transaction that stays open for hours makes a poll read through the
-- dead rows of settled intents.
CREATE VIEW "outbox".lane_watermarks AS
SELECT destination, lane,
       CASE WHEN EXISTS (SELECT FROM unnest(provisional_xids) AS xid
                         WHERE pg_visible_in_snapshot(xid::text::xid8, pg_current_snapshot()))
            THEN watermark ELSE provisional_watermark END AS watermark,
       release_requests
FROM "outbox".lanes;
--> statement-breakpoint
-- The first intent of each lane that has one, without held intents. The cost grows with the number of lanes, not of rows.
--
-- A destination that a relay has worked on is read lane by lane, each from its watermark. The other destinations have no
-- settled intents: a skip scan finds them, between the worked destinations (`between_worked`) and after the last of them
-- (`after_worked`).
--
-- due_at is NULL for an infinite time: before PostgreSQL 17 a reader that subtracts it would get an error.
CREATE VIEW "outbox".lane_heads AS
WITH RECURSIVE lane_watermark AS MATERIALIZED (
  SELECT destination, lane, watermark FROM "outbox".lane_watermarks
), worked AS MATERIALIZED (
  SELECT destination, lag(destination, 1, '') OVER (ORDER BY destination) AS previous
  FROM (SELECT DISTINCT destination FROM lane_watermark) w
), between_worked AS (
  SELECT d.destination AS upper, n.destination, n.lane FROM worked d,
    LATERAL (SELECT i.destination, i.lane FROM "outbox".intents i
             WHERE i.destination > d.previous AND i.destination < d.destination
             ORDER BY i.destination, i.lane LIMIT 1) n
  UNION ALL
  SELECT b.upper, n.destination, n.lane FROM between_worked b,
    LATERAL (SELECT i.destination, i.lane FROM "outbox".intents i
             WHERE (i.destination, i.lane) > (b.destination, b.lane) AND i.destination < b.upper
             ORDER BY i.destination, i.lane LIMIT 1) n
), after_worked AS (
  (SELECT i.destination, i.lane FROM "outbox".intents i
   WHERE i.destination > (SELECT coalesce(max(destination), '') FROM worked)
   ORDER BY i.destination, i.lane LIMIT 1)
  UNION ALL
  SELECT n.destination, n.lane FROM after_worked b,
    LATERAL (SELECT i.destination, i.lane FROM "outbox".intents i
             WHERE (i.destination, i.lane) > (b.destination, b.lane)
             ORDER BY i.destination, i.lane LIMIT 1) n
), candidate AS (
  SELECT d.destination, n.lane::smallint AS lane, coalesce(w.watermark, 0) AS watermark
  FROM worked d CROSS JOIN generate_series(-1, 31) AS n(lane)
    LEFT JOIN lane_watermark w ON w.destination = d.destination AND w.lane = n.lane
  UNION ALL
  SELECT destination, lane, 0 FROM between_worked
  UNION ALL
  SELECT destination, lane, 0 FROM after_worked
)
SELECT c.destination, c.lane, h.seq, CASE WHEN isfinite(h.due_at) THEN h.due_at END AS due_at, h.format, c.watermark,
       h.encryption_key
FROM candidate c,
  LATERAL (SELECT i.seq, greatest(i.send_after, i.enqueued_at) AS due_at, i.format,
                  CASE i.format WHEN 3 THEN left(i.payload ->> 'key', 400) END AS encryption_key FROM "outbox".intents i
           WHERE i.destination = c.destination AND i.lane = c.lane AND i.seq > c.watermark
           ORDER BY i.seq LIMIT 1) h
WHERE c.lane >= -1;
--> statement-breakpoint
-- Pending, scheduled and held intents by destination. Exact up to 100,000 pending intents. held: intents that wait behind a
-- dead letter of their key, counted up to 100,001. They are neither pending nor late.
--
-- Above that, each lane's count is extrapolated from its first 6,251 intents to its last one. The seq of a lane's intents
-- grows evenly, so the first ones show the lane's share. No table statistics are used, so the estimate holds right after
-- a bulk load. The sample is cheap to read, because the first intents of all lanes lie together on disk. The intents of one
-- lane do not.
CREATE VIEW "outbox".backlog AS
WITH head AS MATERIALIZED (
  SELECT destination, lane, seq, due_at FROM "outbox".lane_heads
), sample AS (
  SELECT h.destination, h.lane, h.seq, h.due_at, f.count, f.to_seq
  FROM head h,
    LATERAL (SELECT count(*) AS count, max(seq) AS to_seq
             FROM (SELECT i.seq FROM "outbox".intents i
                   WHERE i.destination = h.destination AND i.lane = h.lane AND i.seq >= h.seq
                   ORDER BY i.seq LIMIT 6251) c) f
), destinations AS (
  SELECT destination, min(due_at) FILTER (WHERE lane >= 0) AS oldest_pending_at,
         coalesce(sum(count) FILTER (WHERE lane >= 0), 0)::bigint AS pending,
         coalesce(bool_or(count > 6250) FILTER (WHERE lane >= 0), false) AS more_pending,
         coalesce(sum(count) FILTER (WHERE lane = -1), 0)::bigint AS scheduled,
         coalesce(bool_or(count > 6250) FILTER (WHERE lane = -1), false) AS more_scheduled
  FROM sample GROUP BY destination
), counted AS (
  SELECT d.destination, d.oldest_pending_at,
         CASE WHEN d.more_pending AND d.pending <= 100000
              THEN (SELECT count(*) FROM (SELECT 1 FROM head h,
                      LATERAL (SELECT 1 FROM "outbox".intents i
                               WHERE i.destination = h.destination AND i.lane = h.lane AND i.seq >= h.seq
                               ORDER BY i.seq LIMIT 100001) i
                    WHERE h.destination = d.destination AND h.lane >= 0 LIMIT 100001) c)
              ELSE d.pending END AS pending,
         CASE WHEN d.more_scheduled
              THEN (SELECT count(*) FROM (SELECT 1 FROM "outbox".intents i
                                          WHERE i.destination = d.destination AND i.lane = -1 LIMIT 100001) c)
              ELSE d.scheduled END AS scheduled
  FROM destinations d
), held AS (
  SELECT w.destination, (SELECT count(*) FROM (SELECT 1 FROM "outbox".intents i
                                               WHERE i.destination = w.destination AND i.lane < -1 LIMIT 100001) c) AS count
  FROM (SELECT DISTINCT destination FROM "outbox".lanes) w
)
SELECT destination,
       CASE WHEN c.pending > 100000
            THEN greatest(c.pending, (
              SELECT sum(s.count * greatest(1, (l.seq - s.seq)::float8 / greatest(1, s.to_seq - s.seq)))
              FROM sample s,
                LATERAL (SELECT i.seq FROM "outbox".intents i
                         WHERE i.destination = s.destination AND i.lane = s.lane AND i.seq >= s.seq
                         ORDER BY i.seq DESC LIMIT 1) l
              WHERE s.destination = c.destination AND s.lane >= 0)::bigint)
            ELSE coalesce(c.pending, 0) END AS pending,
       coalesce(c.scheduled, 0) AS scheduled,
       coalesce(h.count, 0) AS held,
       c.oldest_pending_at,
       coalesce(greatest(0, extract(epoch FROM clock_timestamp() - c.oldest_pending_at)), 0)::float8 AS lag_seconds,
       coalesce(c.pending > 100000, false) AS estimated
FROM counted c FULL JOIN (SELECT * FROM held WHERE count > 0) h USING (destination);
--> statement-breakpoint
-- retry_at is NULL if only an operator can resume the destination, even while the destination is rate limited.
CREATE VIEW "outbox".breaker_state AS
SELECT destination, state, failure_count, last_failure_at, last_error, opened_at,
       CASE WHEN state = 'rejecting' OR state = 'paused' AND retry_at IS NULL THEN NULL ELSE greatest(retry_at, rate_limited_until) END AS retry_at
FROM "outbox".breakers;
--> statement-breakpoint
-- The planner's estimate of the dead letters of one kind: counting a million exactly takes half a second.
-- SECURITY DEFINER, because the functions of a view run with the reader's rights. VOLATILE, because only a volatile
-- function may run EXPLAIN.
CREATE FUNCTION "outbox".estimate_dead_letters(destination text, operation text, reason text) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_plan json;
BEGIN
  EXECUTE format('EXPLAIN (FORMAT JSON) SELECT 1 FROM "outbox".dead_letters
                  WHERE destination = %L AND operation = %L AND reason = %L', destination, operation, reason)
    INTO v_plan;
  RETURN (v_plan #>> '{0,Plan,Plan Rows}')::bigint;
END
$$;
--> statement-breakpoint
-- Dead letters by kind: destination, operation and reason. A skip scan finds the kinds. A count is exact up to 10,000, and
-- the planner's estimate above that. Without MATERIALIZED each kind is counted three times.
CREATE VIEW "outbox".dead_letter_summary AS
WITH RECURSIVE kind AS (
  (SELECT d.destination, d.operation, d.reason, d.dead_at AS oldest FROM "outbox".dead_letters d
   ORDER BY d.destination, d.operation, d.reason, d.dead_at LIMIT 1)
  UNION ALL
  SELECT n.destination, n.operation, n.reason, n.dead_at FROM kind k,
    LATERAL (SELECT d.destination, d.operation, d.reason, d.dead_at FROM "outbox".dead_letters d
             WHERE (d.destination, d.operation, d.reason) > (k.destination, k.operation, k.reason)
             ORDER BY d.destination, d.operation, d.reason, d.dead_at LIMIT 1) n
), counted AS MATERIALIZED (
  SELECT k.destination, k.operation, k.reason, k.oldest,
         (SELECT count(*) FROM (SELECT 1 FROM "outbox".dead_letters d
                                WHERE d.destination = k.destination AND d.operation = k.operation
                                  AND d.reason = k.reason LIMIT 10001) c) AS count,
         (SELECT d.dead_at FROM "outbox".dead_letters d
          WHERE d.destination = k.destination AND d.operation = k.operation AND d.reason = k.reason
          ORDER BY d.dead_at DESC LIMIT 1) AS newest
  FROM kind k
)
SELECT destination, operation, reason,
       CASE WHEN count > 10000
            THEN greatest(count, "outbox".estimate_dead_letters(destination, operation, reason)) ELSE count END AS count,
       oldest, newest,
       count > 10000 AS estimated
FROM counted;
--> statement-breakpoint
-- Settled intents of the last hour, by minute. A percentile is the middle of its bin: within 10 % of the true value.
-- late: delivered more than 72 h after the write, when an event triggers no campaign. Also counted as delivered.
-- suppressed: not sent because of allowRecipients. Not counted as delivered.
-- Minutes in the future are left out: they were counted before the clock stepped back.
CREATE VIEW "outbox".throughput AS
WITH per_bin AS (
  SELECT destination, minute, bin, sum(count) AS count,
         sum(sum(count)) FILTER (WHERE bin >= 0) OVER (PARTITION BY destination, minute ORDER BY bin) AS up_to,
         sum(sum(count)) FILTER (WHERE bin >= 0) OVER (PARTITION BY destination, minute) AS delivered
  FROM "outbox".settled_counts
  WHERE minute > now() - interval '1 hour' AND minute <= clock_timestamp()
  GROUP BY destination, minute, bin
)
SELECT destination, minute,
       coalesce(max(delivered), 0)::bigint AS delivered,
       coalesce(sum(count) FILTER (WHERE bin = -1), 0)::bigint AS dead_lettered,
       round(power(1.2, min(bin) FILTER (WHERE bin >= 0 AND up_to >= delivered * 0.50) + 0.5), 2)::float8 AS p50_ms,
       round(power(1.2, min(bin) FILTER (WHERE bin >= 0 AND up_to >= delivered * 0.99) + 0.5), 2)::float8 AS p99_ms,
       coalesce(sum(count) FILTER (WHERE bin = -2), 0)::bigint AS late,
       coalesce(sum(count) FILTER (WHERE bin = -3), 0)::bigint AS suppressed
FROM per_bin
GROUP BY destination, minute;
--> statement-breakpoint
CREATE VIEW "outbox".relay_fleet AS
SELECT r.relay_id, r.host, r.version, r.started_at, r.last_seen_at,
       (SELECT count(*) FROM "outbox".lanes l WHERE l.relay_id = r.relay_id)::integer AS lanes_held, r.schema_version
FROM "outbox".relays r;
--> statement-breakpoint
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA "outbox" FROM PUBLIC;
