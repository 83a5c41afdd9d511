-- The window: views for people and for monitoring. None of them reads a whole backlog.

-- The destinations that have intents, by a skip scan over the primary key: its cost is per lane, not per row.
CREATE VIEW "outbox".lane_heads AS
WITH RECURSIVE lane AS (
  (SELECT i.destination, i.lane FROM "outbox".intents i ORDER BY i.destination, i.lane LIMIT 1)
  UNION ALL
  SELECT n.destination, n.lane FROM lane l,
    LATERAL (SELECT i.destination, i.lane FROM "outbox".intents i
             WHERE (i.destination, i.lane) > (l.destination, l.lane)
             ORDER BY i.destination, i.lane LIMIT 1) n
)
SELECT l.destination, l.lane, h.seq, greatest(h.send_after, h.enqueued_at) AS due_at
FROM lane l,
  LATERAL (SELECT i.seq, i.enqueued_at, i.send_after FROM "outbox".intents i
           WHERE i.destination = l.destination AND i.lane = l.lane ORDER BY i.seq LIMIT 1) h;
--> statement-breakpoint
-- The planner's estimate of a destination's due intents: exact counting of millions takes seconds.
-- A view's functions run with its reader's rights: hence SECURITY DEFINER, and EXECUTE left with PUBLIC.
-- VOLATILE, because only a volatile function may EXPLAIN.
CREATE FUNCTION "outbox".estimate_pending(destination text) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_plan json;
BEGIN
  EXECUTE format('EXPLAIN (FORMAT JSON) SELECT 1 FROM "outbox".intents WHERE destination = %L AND lane >= 0', destination)
    INTO v_plan;
  RETURN (v_plan #>> '{0,Plan,Plan Rows}')::bigint;
END
$$;
--> statement-breakpoint
CREATE VIEW "outbox".backlog AS
WITH destinations AS (
  SELECT destination, min(due_at) FILTER (WHERE lane >= 0) AS oldest_pending_at
  FROM "outbox".lane_heads GROUP BY destination
), counted AS (
  SELECT d.destination, d.oldest_pending_at,
         (SELECT count(*) FROM (SELECT 1 FROM "outbox".intents i
                                WHERE i.destination = d.destination AND i.lane >= 0 LIMIT 100001) c) AS pending,
         (SELECT count(*) FROM (SELECT 1 FROM "outbox".intents i
                                WHERE i.destination = d.destination AND i.lane = -1 LIMIT 100001) c) AS scheduled
  FROM destinations d
)
SELECT destination,
       CASE WHEN pending > 100000 THEN greatest(pending, "outbox".estimate_pending(destination)) ELSE pending END AS pending,
       scheduled,
       oldest_pending_at,
       coalesce(greatest(0, extract(epoch FROM clock_timestamp() - oldest_pending_at)), 0)::float8 AS lag_seconds,
       pending > 100000 AS estimated
FROM counted;
--> statement-breakpoint
CREATE VIEW "outbox".breaker_state AS
SELECT destination, state, failure_count, last_failure_at, last_error, opened_at,
       greatest(retry_at, rate_limited_until) AS retry_at
FROM "outbox".breakers;
--> statement-breakpoint
CREATE VIEW "outbox".dead_letter_summary AS
SELECT destination, operation, reason, count(*) AS count, min(dead_at) AS oldest, max(dead_at) AS newest
FROM "outbox".dead_letters
GROUP BY destination, operation, reason;
--> statement-breakpoint
-- The last hour, minute by minute. A percentile is the middle of its bin: within 10 % of the true one.
CREATE VIEW "outbox".throughput AS
WITH per_bin AS (
  SELECT destination, minute, bin, sum(count) AS count,
         sum(sum(count)) FILTER (WHERE bin >= 0) OVER (PARTITION BY destination, minute ORDER BY bin) AS up_to,
         sum(sum(count)) FILTER (WHERE bin >= 0) OVER (PARTITION BY destination, minute) AS delivered
  FROM "outbox".settled_counts
  WHERE minute > now() - interval '1 hour'
  GROUP BY destination, minute, bin
)
SELECT destination, minute,
       coalesce(max(delivered), 0)::bigint AS delivered,
       coalesce(sum(count) FILTER (WHERE bin = -1), 0)::bigint AS dead_lettered,
       round(power(1.2, min(bin) FILTER (WHERE bin >= 0 AND up_to >= delivered * 0.50) + 0.5), 2)::float8 AS p50_ms,
       round(power(1.2, min(bin) FILTER (WHERE bin >= 0 AND up_to >= delivered * 0.99) + 0.5), 2)::float8 AS p99_ms
FROM per_bin
GROUP BY destination, minute;
--> statement-breakpoint
CREATE VIEW "outbox".relay_fleet AS
SELECT r.relay_id, r.host, r.version, r.started_at, r.last_seen_at,
       (SELECT count(*) FROM "outbox".lanes l WHERE l.relay_id = r.relay_id)::integer AS lanes_held
FROM "outbox".relays r;
--> statement-breakpoint
-- One row. 'down': intents are due and no relay has been seen for 30 s. 'degraded': delivery is held back,
-- late, or has dead letters of the last hour. Each reason is a sentence for the person on call.
CREATE VIEW "outbox".health AS
WITH alive AS (
  SELECT count(*) AS relays FROM "outbox".relays WHERE last_seen_at > now() - interval '30 seconds'
), late AS (
  SELECT destination, extract(epoch FROM clock_timestamp() - min(due_at)) AS lag_seconds
  FROM "outbox".lane_heads WHERE lane >= 0 GROUP BY destination
), reasons AS (
  SELECT 1 AS severity, 'no relay has been seen for 30 s and intents are due: start customerio-outbox relay' AS reason
  FROM alive WHERE relays = 0 AND EXISTS (SELECT 1 FROM late)
  UNION ALL
  SELECT 2, 'no relay is running' FROM alive WHERE relays = 0 AND NOT EXISTS (SELECT 1 FROM late)
  UNION ALL
  SELECT 2, format('%s is %s since %s: %s', destination, state, to_char(opened_at, 'YYYY-MM-DD HH24:MI:SS TZ'), last_error)
  FROM "outbox".breakers WHERE state <> 'closed'
  UNION ALL
  SELECT 2, format('%s is %s s behind', destination, round(lag_seconds)) FROM late WHERE lag_seconds > 60
  UNION ALL
  SELECT 2, format('%s has %s dead letters of the last hour', destination, count(*))
  FROM "outbox".dead_letters WHERE dead_at > now() - interval '1 hour' GROUP BY destination
)
SELECT CASE min(severity) WHEN 1 THEN 'down' WHEN 2 THEN 'degraded' ELSE 'ok' END AS status,
       coalesce(array_agg(reason ORDER BY severity, reason), '{}') AS reasons
FROM reasons;
