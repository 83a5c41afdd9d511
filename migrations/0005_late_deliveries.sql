-- What was delivered too late to trigger a campaign, and what a workspace's allowRecipients held back, can be seen.

-- The last hour, minute by minute. A percentile is the middle of its bin: within 10 % of the true one.
-- `late`: delivered (and counted there) over 72 h after the write, when an event triggers no campaign any more.
-- `suppressed`: held back by allowRecipients, and not counted as delivered.
-- A minute that lies ahead was counted before the clock stepped back.
CREATE OR REPLACE VIEW "outbox".throughput AS
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
-- One row. 'down': intents are due and no relay has been seen for 30 s. 'degraded': delivery is held back,
-- behind, late, or has dead letters of the last hour. Each reason is a sentence for the person on call.
CREATE OR REPLACE VIEW "outbox".health AS
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
  UNION ALL
  SELECT 2, format('%s has delivered %s intents in the last hour that were over 72 h old: such events trigger no campaign',
                   destination, sum(count))
  FROM "outbox".settled_counts WHERE bin = -2 AND minute > now() - interval '1 hour' GROUP BY destination
)
SELECT CASE min(severity) WHEN 1 THEN 'down' WHEN 2 THEN 'degraded' ELSE 'ok' END AS status,
       coalesce(array_agg(reason ORDER BY severity, reason), '{}') AS reasons
FROM reasons;
--> statement-breakpoint
COMMENT ON COLUMN "outbox".dead_letters.requested_at IS
  'Of reason ambiguous: when the request began of which nobody knows whether Customer.io has taken it. Look there before you send the intent again.';
