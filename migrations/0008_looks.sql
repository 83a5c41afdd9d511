-- What the dispatcher and the views look at, whatever the backlog and however old the oldest snapshot.
ALTER TABLE "outbox"."lanes" ADD COLUMN "watermark" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "outbox"."lanes" ADD COLUMN "provisional_watermark" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "outbox"."lanes" ADD COLUMN "provisional_xids" bigint[] DEFAULT '{}' NOT NULL;--> statement-breakpoint
CREATE INDEX "dead_letters_newest" ON "outbox"."dead_letters" USING btree ("dead_at","destination");--> statement-breakpoint
ALTER TABLE "outbox"."lanes" ADD CONSTRAINT "lanes_provisional" CHECK ("outbox"."lanes"."provisional_watermark" >= "outbox"."lanes"."watermark");--> statement-breakpoint
-- Called by the relay, which knows so what can still appear in the queue: the highest seq that was drawn, and the
-- open transactions that have the queue locked for writing, each as `<virtual transaction>@<its xid8>`, without the
-- number where it has none yet. The number is read first: a transaction takes the lock before it draws its first
-- number, so every transaction that may still commit a seq up to last_seq is among the holders.
-- pg_locks knows the low 32 bits of an xid: the others are those of the nearest xid to the next one.
CREATE OR REPLACE FUNCTION "outbox".write_horizon(OUT last_seq bigint, OUT holders text[])
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_next bigint;
BEGIN
  SELECT last_value INTO last_seq FROM "outbox".intents_seq_seq;
  v_next := pg_snapshot_xmax(pg_current_snapshot())::text::bigint;
  WITH l AS MATERIALIZED (
    SELECT * FROM pg_locks WHERE granted AND (locktype = 'transactionid' OR locktype = 'relation')
  ), writer AS (
    SELECT DISTINCT virtualtransaction FROM l
    WHERE locktype = 'relation' AND mode = 'RowExclusiveLock' AND relation = '"outbox".intents'::regclass
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
  )
  SELECT coalesce(array_agg(w.virtualtransaction || '@' || coalesce(x.xid::text, '')), '{}') INTO holders
  FROM writer w, LATERAL (
    -- The least is the transaction's own, the others are its savepoints'.
    SELECT min(v_next + ((low.xid - v_next) & 4294967295)
               - CASE WHEN ((low.xid - v_next) & 4294967295) > 2147483647 THEN 4294967296 ELSE 0 END) AS xid
    FROM (SELECT transactionid::text::bigint AS xid FROM l
          WHERE locktype = 'transactionid' AND mode = 'ExclusiveLock'
            AND virtualtransaction = w.virtualtransaction) low
  ) x;
END
$$;
--> statement-breakpoint
-- Where a look at a lane may begin: everything up to `after` was settled and nothing can appear there any more.
-- `watermark` is below every transaction that was open when it was written. `provisional_watermark` is above some that were:
-- it holds for as long as none of them, `provisional_xids`, is over in the snapshot of whoever asks. So neither an old
-- snapshot nor a transaction that is left open for hours makes a look walk through all that was settled meanwhile.
CREATE VIEW "outbox".lane_watermarks AS
SELECT destination, lane,
       CASE WHEN EXISTS (SELECT FROM unnest(provisional_xids) AS xid
                         WHERE pg_visible_in_snapshot(xid::text::xid8, pg_current_snapshot()))
            THEN watermark ELSE provisional_watermark END AS after
FROM "outbox".lanes;
--> statement-breakpoint
-- The first intent of each lane that has one. Lanes of destinations that were ever worked are asked one by one, each
-- from its bound; the others, where nothing was ever settled, are found by a skip scan between those destinations
-- (`between`) and behind the last of them (`beyond`). The cost is per lane, not per row. `due_at` is null for an infinite
-- time, because no reader could subtract it: before PostgreSQL 17 that is an error.
CREATE OR REPLACE VIEW "outbox".lane_heads AS
WITH RECURSIVE bound AS MATERIALIZED (
  SELECT destination, lane, after FROM "outbox".lane_watermarks
), known AS MATERIALIZED (
  SELECT destination, lag(destination, 1, '') OVER (ORDER BY destination) AS before
  FROM (SELECT DISTINCT destination FROM bound) d
), between_known AS (
  SELECT k.destination AS upper, n.destination, n.lane FROM known k,
    LATERAL (SELECT i.destination, i.lane FROM "outbox".intents i
             WHERE i.destination > k.before AND i.destination < k.destination
             ORDER BY i.destination, i.lane LIMIT 1) n
  UNION ALL
  SELECT b.upper, n.destination, n.lane FROM between_known b,
    LATERAL (SELECT i.destination, i.lane FROM "outbox".intents i
             WHERE (i.destination, i.lane) > (b.destination, b.lane) AND i.destination < b.upper
             ORDER BY i.destination, i.lane LIMIT 1) n
), beyond_known AS (
  (SELECT i.destination, i.lane FROM "outbox".intents i
   WHERE i.destination > (SELECT coalesce(max(destination), '') FROM known)
   ORDER BY i.destination, i.lane LIMIT 1)
  UNION ALL
  SELECT n.destination, n.lane FROM beyond_known b,
    LATERAL (SELECT i.destination, i.lane FROM "outbox".intents i
             WHERE (i.destination, i.lane) > (b.destination, b.lane)
             ORDER BY i.destination, i.lane LIMIT 1) n
), place AS (
  SELECT k.destination, n.lane::smallint AS lane, coalesce(b.after, 0) AS after
  FROM known k CROSS JOIN generate_series(-1, 31) AS n(lane)
    LEFT JOIN bound b ON b.destination = k.destination AND b.lane = n.lane
  UNION ALL
  SELECT destination, lane, 0 FROM between_known
  UNION ALL
  SELECT destination, lane, 0 FROM beyond_known
)
SELECT p.destination, p.lane, h.seq, CASE WHEN isfinite(h.due_at) THEN h.due_at END AS due_at, h.format, p.after
FROM place p,
  LATERAL (SELECT i.seq, greatest(i.send_after, i.enqueued_at) AS due_at, i.format FROM "outbox".intents i
           WHERE i.destination = p.destination AND i.lane = p.lane AND i.seq > p.after
           ORDER BY i.seq LIMIT 1) h;
--> statement-breakpoint
-- Exact up to 100,000. Above, each lane's count is drawn out from its first intents to its last: numbers are drawn in
-- order, so that a lane's share of them is known from its first ones. No statistics of the table are asked, so it
-- holds right after a bulk load. The first intents of all lanes lie together on disk, those of one lane do not.
CREATE OR REPLACE VIEW "outbox".backlog AS
WITH head AS MATERIALIZED (
  SELECT destination, lane, seq, due_at, after FROM "outbox".lane_heads
), first AS (
  SELECT h.destination, h.lane, h.seq, h.due_at, h.after, f.count, f.to_seq
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
  FROM first GROUP BY destination
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
)
SELECT c.destination,
       CASE WHEN c.pending > 100000
            THEN greatest(c.pending, (
              SELECT sum(f.count * greatest(1, (l.seq - f.seq)::float8 / greatest(1, f.to_seq - f.seq)))
              FROM first f,
                LATERAL (SELECT i.seq FROM "outbox".intents i
                         WHERE i.destination = f.destination AND i.lane = f.lane AND i.seq >= f.seq
                         ORDER BY i.seq DESC LIMIT 1) l
              WHERE f.destination = c.destination AND f.lane >= 0)::bigint)
            ELSE c.pending END AS pending,
       c.scheduled,
       c.oldest_pending_at,
       coalesce(greatest(0, extract(epoch FROM clock_timestamp() - c.oldest_pending_at)), 0)::float8 AS lag_seconds,
       c.pending > 100000 AS estimated
FROM counted c;
--> statement-breakpoint
DROP FUNCTION "outbox".estimate_pending(text);
--> statement-breakpoint
-- The planner's estimate of the dead letters of one kind: exact counting of a million takes half a second.
-- A view's functions run with its reader's rights: hence SECURITY DEFINER, and EXECUTE left with PUBLIC.
-- VOLATILE, because only a volatile function may EXPLAIN.
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
-- Each kind is found by a skip scan; its count is exact up to 10,000, above it is the planner's estimate.
CREATE OR REPLACE VIEW "outbox".dead_letter_summary AS
WITH RECURSIVE kind AS (
  (SELECT d.destination, d.operation, d.reason, d.dead_at AS oldest FROM "outbox".dead_letters d
   ORDER BY d.destination, d.operation, d.reason, d.dead_at LIMIT 1)
  UNION ALL
  SELECT n.destination, n.operation, n.reason, n.dead_at FROM kind k,
    LATERAL (SELECT d.destination, d.operation, d.reason, d.dead_at FROM "outbox".dead_letters d
             WHERE (d.destination, d.operation, d.reason) > (k.destination, k.operation, k.reason)
             ORDER BY d.destination, d.operation, d.reason, d.dead_at LIMIT 1) n
), counted AS (
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
-- How full the server's queue of notifications is, and which session keeps it from being emptied, if it is more than half
-- full. No catalog says which sessions listen. The session is one that listens and is in a transaction: the one that has
-- been idle in a transaction for longest is the most likely. The server's log names it when a NOTIFY finds the queue half
-- full. SECURITY DEFINER, because a view's functions run with its reader's rights.
CREATE FUNCTION "outbox".notification_queue(OUT usage float8, OUT holder_pid integer, OUT holder text)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  usage := pg_notification_queue_usage();
  IF usage <= 0.5 THEN
    RETURN;
  END IF;
  IF NOT pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') THEN
    holder := format('the session that holds it cannot be named: it can after GRANT pg_read_all_stats TO %I', current_user);
    RETURN;
  END IF;
  SELECT a.pid, format('most likely process %s holds it (user %s, database %s, application %s, in a transaction since %s): '
                       'SELECT pg_terminate_backend(%s)', a.pid, quote_ident(a.usename), quote_ident(a.datname),
                       quote_literal(a.application_name), to_char(a.xact_start, 'YYYY-MM-DD HH24:MI:SS TZ'), a.pid)
  INTO holder_pid, holder
  FROM pg_stat_activity a
  WHERE a.backend_type = 'client backend' AND a.xact_start IS NOT NULL AND a.pid <> pg_backend_pid()
  ORDER BY a.state LIKE 'idle in transaction%' OR a.wait_event = 'ClientWrite' DESC, a.xact_start
  LIMIT 1;
  holder := coalesce(holder, 'no session is in a transaction: the server''s log names the process that holds it');
END
$$;
--> statement-breakpoint
-- One row. 'down': intents are due and no relay has been seen for 30 s. 'degraded': delivery is held back,
-- behind, late, or has dead letters of the last hour. Each reason is a sentence for the person on call.
CREATE OR REPLACE VIEW "outbox".health AS
WITH alive AS (
  SELECT count(*) AS relays, max(format) AS format FROM "outbox".relays
  WHERE last_seen_at > now() - interval '30 seconds' AND last_seen_at <= clock_timestamp()
), any_head AS MATERIALIZED (
  SELECT destination, lane, due_at, format FROM "outbox".lane_heads
), head AS (
  SELECT destination, due_at, format FROM any_head WHERE lane >= 0
), late AS (
  SELECT destination, extract(epoch FROM clock_timestamp() - min(due_at)) AS lag_seconds FROM head GROUP BY destination
), recent AS (
  SELECT destination, count(*) AS count
  FROM (SELECT destination FROM "outbox".dead_letters WHERE dead_at > now() - interval '1 hour' LIMIT 100001) d
  GROUP BY destination
), origin AS MATERIALIZED (
  SELECT is_copy, origin_name FROM "outbox".check_origin()
), reasons AS (
  SELECT 1 AS severity, 'no relay has been seen for 30 s and intents are due: start customerio-outbox relay' AS reason
  FROM alive WHERE relays = 0 AND EXISTS (SELECT 1 FROM late) AND NOT (SELECT is_copy FROM origin)
  UNION ALL
  SELECT 2, 'no relay is running' FROM alive
  WHERE relays = 0 AND NOT EXISTS (SELECT 1 FROM late) AND NOT (SELECT is_copy FROM origin)
  UNION ALL
  SELECT CASE WHEN EXISTS (SELECT 1 FROM late)
                   AND (SELECT count(*) = min(a.relays) FROM "outbox".relays f, alive a
                        WHERE f.last_seen_at > now() - interval '30 seconds' AND f.polls_failing_since IS NOT NULL)
              THEN 1 ELSE 2 END,
         format('relay %s on host %s cannot poll since %s: %s', relay_id, host,
                to_char(polls_failing_since, 'YYYY-MM-DD HH24:MI:SS TZ'), poll_error)
  FROM "outbox".relays WHERE last_seen_at > now() - interval '30 seconds' AND polls_failing_since IS NOT NULL
  UNION ALL
  SELECT 2, format('%s has %s delayed %s with an infinite send_after, which no relay will send: delete them, or set a time',
                   h.destination, CASE WHEN f.count > 1000 THEN 'more than 1000' ELSE f.count::text END,
                   CASE f.count WHEN 1 THEN 'intent' ELSE 'intents' END)
  FROM any_head h, LATERAL (
    SELECT count(*) AS count
    FROM (SELECT FROM "outbox".intents i
          WHERE i.destination = h.destination AND i.lane = -1 AND i.send_after = 'infinity' LIMIT 1001) never
  ) f
  WHERE h.lane = -1 AND f.count > 0
  UNION ALL
  SELECT 2, format('%s is %s since %s: %s', destination, state, to_char(opened_at, 'YYYY-MM-DD HH24:MI:SS TZ'), last_error)
  FROM "outbox".breakers WHERE state <> 'closed'
  UNION ALL
  SELECT 2, format('%s is %s s behind', destination, round(lag_seconds)) FROM late WHERE lag_seconds > 60
  UNION ALL
  SELECT 2, format('%s has intents of row format %s that no running relay knows: upgrade the relays',
                   h.destination, max(h.format))
  FROM head h, alive a WHERE h.format > a.format GROUP BY h.destination
  UNION ALL
  SELECT 2, CASE WHEN (SELECT sum(count) FROM recent) > 100000
                 THEN format('%s has more than %s dead letters of the last hour', destination, count)
                 ELSE format('%s has %s dead %s of the last hour', destination, count,
                             CASE count WHEN 1 THEN 'letter' ELSE 'letters' END) END
  FROM recent
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
  -- 60 s: a relay gives due intents their lane within its poll interval, a second by default.
  SELECT 2, format('%s has %s scheduled %s overdue by %s s', h.destination,
                   CASE WHEN o.count > 1000 THEN 'more than 1000' ELSE o.count::text END,
                   CASE o.count WHEN 1 THEN 'intent' ELSE 'intents' END,
                   round(extract(epoch FROM clock_timestamp() - o.since)))
  FROM any_head h, LATERAL (
    SELECT count(*) AS count, min(due.send_after) AS since
    FROM (SELECT i.send_after FROM "outbox".intents i
          WHERE i.destination = h.destination AND i.lane = -1 AND i.send_after > '-infinity'
            AND i.send_after < now() - interval '60 seconds'
          ORDER BY i.send_after LIMIT 1001) due
  ) o
  WHERE h.lane = -1 AND o.count > 0
)
SELECT CASE min(severity) WHEN 1 THEN 'down' WHEN 2 THEN 'degraded' ELSE 'ok' END AS status,
       coalesce((array_agg(reason ORDER BY severity, reason))[1:50], '{}')
         || CASE WHEN count(*) > 50 THEN ARRAY[format('… and %s more', count(*) - 50)] ELSE '{}' END AS reasons
FROM reasons;
