-- The view that says whether delivery works, and why not.

-- How full the server's notification queue is. If it is more than half full, also the session that most likely blocks it:
-- the server cannot empty the queue because of that session.
--
-- The session that blocks the queue listens inside an open transaction. No catalog lists the sessions that listen, so the
-- function names the most likely one. It prefers sessions that are idle in a transaction, or that wait for their client to
-- read (wait_event 'ClientWrite'), and names the one whose transaction is the oldest. The server's log names the session
-- for certain when a NOTIFY finds the queue half full.
--
-- SECURITY DEFINER, because the functions of a view run with the reader's rights.
CREATE FUNCTION "outbox".notification_queue(OUT usage float8, OUT holder_pid integer, OUT holder text)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  usage := pg_notification_queue_usage();
  IF usage <= 0.5 THEN
    RETURN;
  END IF;
  IF NOT pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') THEN
    holder := format('%1$I may not see which session holds it: GRANT pg_read_all_stats TO %1$I', current_user);
    RETURN;
  END IF;
  SELECT a.pid, format('most likely process %s holds it (user %s, database %s, application %s, in a transaction since %s): '
                       'SELECT pg_terminate_backend(%s)', a.pid, quote_ident(a.usename), quote_ident(a.datname),
                       quote_literal(a.application_name), to_char(a.xact_start, 'YYYY-MM-DD HH24:MI:SS TZ'), a.pid)
  INTO holder_pid, holder
  FROM pg_stat_activity a
  WHERE a.backend_type = 'client backend' AND a.xact_start IS NOT NULL AND a.pid <> pg_backend_pid()
  ORDER BY a.state LIKE 'idle in transaction%' OR coalesce(a.wait_event, '') = 'ClientWrite' DESC, a.xact_start
  LIMIT 1;
  holder := coalesce(holder, 'no session is in a transaction: the server''s log names the process that holds it');
END
$$;
--> statement-breakpoint
-- One row. 'down': intents are due, and no relay is running or every relay fails to poll. 'degraded': there is another
-- reason, such as stopped or late delivery, or dead letters of the last hour. Each reason is a sentence for the operator on
-- call.
-- A relay is running if its heartbeat is less than 30 s old. A relay that stops deletes its row at once.
CREATE VIEW "outbox".health AS
WITH live_relays AS (
  SELECT count(*) AS relays, max(format) AS format FROM "outbox".relays
  WHERE last_seen_at > now() - interval '30 seconds' AND last_seen_at <= clock_timestamp()
), lane_head AS MATERIALIZED (
  SELECT destination, lane, due_at, format, encryption_key FROM "outbox".lane_heads
), due_head AS (
  SELECT destination, due_at, format, encryption_key FROM lane_head WHERE lane >= 0
), behind AS (
  SELECT destination, extract(epoch FROM clock_timestamp() - min(due_at)) AS lag_seconds FROM due_head GROUP BY destination
), recent_dead_letters AS (
  SELECT destination, count(*) AS count
  FROM (SELECT destination FROM "outbox".dead_letters WHERE dead_at > now() - interval '1 hour' LIMIT 100001) d
  GROUP BY destination
), origin AS MATERIALIZED (
  SELECT is_copy, origin_name FROM "outbox".check_origin()
), reasons AS (
  SELECT 1 AS severity, 'no relay is running, and intents are due: start customerio-outbox relay' AS reason
  FROM live_relays WHERE relays = 0 AND EXISTS (SELECT 1 FROM behind) AND NOT (SELECT is_copy FROM origin)
  UNION ALL
  SELECT 2, 'no relay is running' FROM live_relays
  WHERE relays = 0 AND NOT EXISTS (SELECT 1 FROM behind) AND NOT (SELECT is_copy FROM origin)
  UNION ALL
  SELECT CASE WHEN EXISTS (SELECT 1 FROM behind)
                   AND (SELECT count(*) = min(a.relays) FROM "outbox".relays f, live_relays a
                        WHERE f.last_seen_at > now() - interval '30 seconds' AND f.polls_failing_since IS NOT NULL)
              THEN 1 ELSE 2 END,
         format('relay %s on host %s cannot poll since %s: %s', relay_id, host,
                to_char(polls_failing_since, 'YYYY-MM-DD HH24:MI:SS TZ'), poll_error)
  FROM "outbox".relays WHERE last_seen_at > now() - interval '30 seconds' AND polls_failing_since IS NOT NULL
  UNION ALL
  SELECT 2, format('%s has %s scheduled %s with an infinite send_after, which no relay will send: delete them, or set a time',
                   h.destination, CASE WHEN f.count > 1000 THEN 'more than 1000' ELSE f.count::text END,
                   CASE f.count WHEN 1 THEN 'intent' ELSE 'intents' END)
  FROM lane_head h, LATERAL (
    SELECT count(*) AS count
    FROM (SELECT FROM "outbox".intents i
          WHERE i.destination = h.destination AND i.lane = -1 AND i.send_after = 'infinity' LIMIT 1001) infinite
  ) f
  WHERE h.lane = -1 AND f.count > 0
  UNION ALL
  SELECT 2, format('%s is %s since %s: %s', destination, state, to_char(opened_at, 'YYYY-MM-DD HH24:MI:SS TZ'), last_error)
  FROM "outbox".breakers WHERE state <> 'closed'
  UNION ALL
  SELECT 2, format('%s is %s s behind', destination, round(lag_seconds)) FROM behind WHERE lag_seconds > 60
  UNION ALL
  SELECT 2, format('%s has intents of row format %s that no running relay knows: upgrade the relays',
                   h.destination, max(h.format))
  FROM due_head h, live_relays a WHERE h.format > a.format GROUP BY h.destination
  UNION ALL
  SELECT 2, format('%s has intents that were encrypted with key %s, which no running relay has: add it to OUTBOX_ENCRYPTION_KEYS of the relays',
                   h.destination, left(h.encryption_key, 40))
  FROM due_head h, live_relays a
  WHERE h.format <= a.format AND h.encryption_key IS NOT NULL AND a.relays > 0 AND NOT EXISTS (
    SELECT FROM "outbox".relays r
    WHERE r.last_seen_at > now() - interval '30 seconds' AND r.last_seen_at <= clock_timestamp()
      AND r.format >= 3 AND (r.encryption_keys IS NULL OR h.encryption_key = ANY (r.encryption_keys)))
  GROUP BY h.destination, left(h.encryption_key, 40)
  UNION ALL
  SELECT 2, CASE WHEN (SELECT sum(count) FROM recent_dead_letters) > 100000
                 THEN format('%s has more than %s dead letters of the last hour', destination, count)
                 ELSE format('%s has %s dead %s of the last hour', destination, count,
                             CASE count WHEN 1 THEN 'letter' ELSE 'letters' END) END
  FROM recent_dead_letters
  UNION ALL
  SELECT 2, format('%s holds the later intents of %s%s %s behind dead letters: redrive or discard these', destination,
                   CASE WHEN sum(count(*)) OVER () > 10000 THEN 'more than ' ELSE '' END, count(DISTINCT ordering_key),
                   CASE count(DISTINCT ordering_key) WHEN 1 THEN 'key' ELSE 'keys' END)
  FROM (SELECT destination, ordering_key FROM "outbox".dead_letters WHERE holds LIMIT 10001) d GROUP BY destination
  UNION ALL
  SELECT 2, format('%s has delivered %s intents in the last hour that were over 72 h old: such events trigger no campaign',
                   destination, sum(count))
  FROM "outbox".settled_counts WHERE bin = -2 AND minute > now() - interval '1 hour' GROUP BY destination
  UNION ALL
  SELECT 2, format('this database is a copy of %s, and no relay sends from it: see docs/backups.md',
                   coalesce(quote_ident(origin_name), 'another'))
  FROM origin WHERE is_copy
  UNION ALL
  SELECT 2, format('delivered has no partition for today, %s UTC: a relay makes it with the next delivery; until then nothing can be settled',
                   (now() AT TIME ZONE 'UTC')::date)
  WHERE to_regclass('"outbox".delivered_' || to_char(now() AT TIME ZONE 'UTC', 'YYYYMMDD')) IS NULL
  UNION ALL
  SELECT 2, format('the server''s queue of notifications is %s %% full, relays poll; when it is full, every COMMIT after a NOTIFY fails: %s',
                   round(usage * 100), holder)
  FROM "outbox".notification_queue() WHERE usage > 0.5
  UNION ALL
  -- Overdue from 60 s on, because a relay promotes due intents within its poll interval, 1 s by default.
  SELECT 2, format('%s has %s scheduled %s overdue by %s s', h.destination,
                   CASE WHEN o.count > 1000 THEN 'more than 1000' ELSE o.count::text END,
                   CASE o.count WHEN 1 THEN 'intent' ELSE 'intents' END,
                   round(extract(epoch FROM clock_timestamp() - o.since)))
  FROM lane_head h, LATERAL (
    SELECT count(*) AS count, min(overdue.send_after) AS since
    FROM (SELECT i.send_after FROM "outbox".intents i
          WHERE i.destination = h.destination AND i.lane = -1 AND i.send_after > '-infinity'
            AND i.send_after < now() - interval '60 seconds'
          ORDER BY i.send_after LIMIT 1001) overdue
  ) o
  WHERE h.lane = -1 AND o.count > 0
)
SELECT CASE min(severity) WHEN 1 THEN 'down' WHEN 2 THEN 'degraded' ELSE 'ok' END AS status,
       coalesce((array_agg(reason ORDER BY severity, reason))[1:50], '{}')
         || CASE WHEN count(*) > 50 THEN ARRAY[format('… and %s more', count(*) - 50)] ELSE '{}' END AS reasons
FROM reasons;
--> statement-breakpoint
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA "outbox" FROM PUBLIC;
