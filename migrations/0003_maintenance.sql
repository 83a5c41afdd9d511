-- The functions that a relay calls: its workspaces, the write horizon, and the partitions.

-- Whether a workspace still needs its name: it has intents, or one of its destinations has a breaker that is not closed.
CREATE FUNCTION "outbox".workspace_in_use(name text) RETURNS boolean
LANGUAGE sql STABLE AS $$
  SELECT EXISTS (
    SELECT FROM unnest('{track,app,broadcast,pipelines}'::text[]) AS a(api)
    -- LIMIT 1, because EXISTS would become a semi-join with a scan of the whole queue.
    WHERE (SELECT true FROM "outbox".intents i WHERE i.destination = workspace_in_use.name || '/' || api ORDER BY i.lane, i.seq LIMIT 1)
       OR EXISTS (SELECT FROM "outbox".breakers b WHERE b.destination = workspace_in_use.name || '/' || api AND b.state <> 'closed'))
$$;
--> statement-breakpoint
-- Registers the workspaces that a relay serves. The relay calls it when it starts, when its settings change, and with its
-- maintenance. The function also
-- - creates the rows of `locks` and the slots, if they are missing,
-- - deletes workspaces that no relay has served for 7 days, and closed breakers of unknown workspaces,
-- - frees slots of names that need no slot.
CREATE FUNCTION "outbox".register_workspaces(served text[]) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '500ms' AS $$
DECLARE
  v record;
BEGIN
  INSERT INTO "outbox".locks (name)
  SELECT n FROM unnest('{promote,jobs}'::text[]) AS n
  WHERE NOT EXISTS (SELECT FROM "outbox".locks l WHERE l.name = n) ON CONFLICT DO NOTHING;
  -- NOT EXISTS first: ON CONFLICT alone would wait for every open transaction that has taken a slot.
  INSERT INTO "outbox".unserved_workspaces (slot)
  SELECT n FROM generate_series(1, 100) AS n
  WHERE NOT EXISTS (SELECT FROM "outbox".unserved_workspaces u WHERE u.slot = n) ON CONFLICT DO NOTHING;
  INSERT INTO "outbox".workspaces AS w (name, served_at)
  SELECT DISTINCT s.name, now() FROM unnest(served) AS s(name) ORDER BY s.name
  ON CONFLICT ON CONSTRAINT workspaces_pkey DO UPDATE SET served_at = excluded.served_at
    WHERE w.served_at < excluded.served_at - interval '1 minute';
  DELETE FROM "outbox".workspaces w
  WHERE w.served_at < now() - interval '7 days' AND NOT "outbox".workspace_in_use(w.name);
  DELETE FROM "outbox".breakers b
  WHERE b.state = 'closed' AND coalesce(b.rate_limited_until, '-infinity') < now() AND split_part(b.destination, '/', 1) <> 'default'
    AND NOT EXISTS (SELECT FROM "outbox".workspaces w WHERE w.name = split_part(b.destination, '/', 1));
  -- Each row is locked first and checked by a later statement, which sees the commits of every transaction that held the
  -- row before.
  FOR v IN SELECT u.slot, u.name FROM "outbox".unserved_workspaces u
           WHERE u.name IS NOT NULL ORDER BY u.slot FOR UPDATE SKIP LOCKED LOOP
    IF EXISTS (SELECT FROM "outbox".workspaces w WHERE w.name = v.name)
       OR EXISTS (SELECT FROM "outbox".unserved_workspaces u WHERE u.name = v.name AND u.slot < v.slot)
       OR NOT "outbox".workspace_in_use(v.name) THEN
      UPDATE "outbox".unserved_workspaces u SET name = NULL WHERE u.slot = v.slot;
    END IF;
  END LOOP;
END
$$;
--> statement-breakpoint
SELECT "outbox".register_workspaces('{}');
--> statement-breakpoint
-- What can still appear in the queue: the highest seq that was drawn, and the open transactions that hold a write lock
-- on the queue. Each is `<virtual transaction>@<its xid8>`, without the xid8 if it has none yet.
--
-- The seq is read first. A transaction takes the lock before it draws its first seq, so every transaction that may still
-- commit a seq up to last_seq is among the writers.
--
-- pg_locks has only the low 32 bits of an xid. The high bits are chosen so that the xid is nearest to the next xid.
CREATE FUNCTION "outbox".write_horizon(OUT last_seq bigint, OUT writers text[])
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
  SELECT coalesce(array_agg(w.virtualtransaction || '@' || coalesce(x.xid::text, '')), '{}') INTO writers
  FROM writer w, LATERAL (
    -- The lowest xid is the transaction's own. The others belong to its savepoints.
    SELECT min(v_next + ((own.xid - v_next) & 4294967295)
               - CASE WHEN ((own.xid - v_next) & 4294967295) > 2147483647 THEN 4294967296 ELSE 0 END) AS xid
    FROM (SELECT transactionid::text::bigint AS xid FROM l
          WHERE locktype = 'transactionid' AND mode = 'ExclusiveLock'
            AND virtualtransaction = w.virtualtransaction) own
  ) x;
END
$$;
--> statement-breakpoint
-- Whether a table of the outbox is a partition of another one.
CREATE FUNCTION "outbox".is_partition(parent text, name text) RETURNS boolean
LANGUAGE sql STABLE AS $$
  SELECT EXISTS (SELECT FROM pg_inherits WHERE inhparent = to_regclass('"outbox".' || parent)
                 AND inhrelid = to_regclass('"outbox".' || name))
$$;
--> statement-breakpoint
-- The day on which the payload of an intent that was delivered at `at` is dropped, in UTC: the day after `days` full days.
--
-- With more than 92 days it is the first day of the next month, so such a payload is kept up to a month longer. A statement that
-- reads the archive locks each partition and its indexes: ten years of day partitions would take 14,600 locks, more than a server
-- has by default. So there are at most about 95 partitions for days and 121 for months.
CREATE FUNCTION "outbox".archive_drop_on(at timestamptz, days integer) RETURNS date
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN days <= 92 THEN (at AT TIME ZONE 'UTC')::date + days + 1
              ELSE (date_trunc('month', ((at AT TIME ZONE 'UTC')::date + days)::timestamp) + interval '1 month')::date END
$$;
--> statement-breakpoint
-- Creates the partitions that settlements need: of outbox.delivered and outbox.history for today and the next two days, and of
-- outbox.archive for what is delivered in these days. Safe to repeat. Called by migrate and by a relay's maintenance.
--
-- payload_days: for how many days the relay's workspaces keep delivered payloads.
--
-- The table is created first and then attached. So the function needs no lock that conflicts with a reader of
-- outbox.delivered; such a lock would block every settle. If a lock is not available within 0.5 s, the function
-- fails. The next call tries again, while partitions for two days are left.
CREATE FUNCTION "outbox".ensure_partitions(payload_days integer[] DEFAULT '{}') RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET lock_timeout = '500ms' SET timezone = 'UTC' SET datestyle = 'ISO' AS $$
DECLARE
  v_today date := (now() AT TIME ZONE 'UTC')::date;
  v record;
BEGIN
  IF (SELECT bool_and(days BETWEEN 1 AND 3653) FROM unnest(payload_days) AS days) IS FALSE OR cardinality(payload_days) > 1000 THEN
    RAISE EXCEPTION 'outbox: payload_days must be at most 1000 numbers from 1 to 3653, got %', "outbox".quote_for_error(payload_days::text)
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  FOR v IN
    WITH day AS (
      SELECT v_today + n AS day FROM generate_series(0, 2) AS n
    )
    SELECT p.parent, p.parent || to_char(d.day, '_YYYYMMDD') AS name, d.day::timestamp AT TIME ZONE 'UTC' || '' AS lower,
           (d.day + 1)::timestamp AT TIME ZONE 'UTC' || '' AS upper
    FROM unnest('{delivered,history}'::text[]) AS p(parent), day d
    UNION ALL
    SELECT DISTINCT 'archive', to_char(k.drop_on, '"archive"_YYYYMMDD'), k.drop_on::text, (k.drop_on + 1)::text
    FROM day d, unnest(payload_days) AS days, LATERAL "outbox".archive_drop_on(d.day::timestamp AT TIME ZONE 'UTC', days) AS k(drop_on)
  LOOP
    -- If a table of that name is no partition, CREATE TABLE below fails and says so.
    CONTINUE WHEN "outbox".is_partition(v.parent, v.name);
    -- So one session at a time creates it. ATTACH PARTITION takes this lock too, and only the owner may take a conflicting
    -- one.
    EXECUTE format('LOCK TABLE ONLY "outbox".%I IN SHARE UPDATE EXCLUSIVE MODE', v.parent);
    CONTINUE WHEN "outbox".is_partition(v.parent, v.name);
    EXECUTE format('CREATE TABLE "outbox".%I (LIKE "outbox".%I INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', v.name, v.parent);
    EXECUTE format('ALTER TABLE "outbox".%I ATTACH PARTITION "outbox".%I FOR VALUES FROM (%L) TO (%L)',
                   v.parent, v.name, v.lower, v.upper);
  END LOOP;
END
$$;
--> statement-breakpoint
-- Drops day partitions of outbox.delivered and outbox.history whose last row is older than `keep`. Returns how many it dropped.
--
-- The time for a drop does not grow with the number of rows. A drop conflicts with every reader of the table. So
-- the function waits at most 0.5 s for its lock, and then fails. The next call tries again.
CREATE FUNCTION "outbox".prune_delivered(keep interval) RETURNS integer
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET lock_timeout = '500ms' AS $$
DECLARE
  v_partition name;
  v_dropped integer := 0;
BEGIN
  -- A negative interval would drop the partition of today.
  IF (keep BETWEEN interval '0' AND interval '36525 days') IS NOT TRUE THEN
    RAISE EXCEPTION 'outbox: keep must be 0 to 36525 days (100 years), got %', coalesce(keep::text, 'NULL')
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  FOR v_partition IN
    SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent IN ('"outbox".delivered'::regclass, '"outbox".history'::regclass)
      AND c.relname ~ '^(delivered|history)_[0-9]{8}$'
      AND (to_date(right(c.relname, 8), 'YYYYMMDD') + 1)::timestamp AT TIME ZONE 'UTC'
          < now() - make_interval(secs => date_part('epoch', keep))
  LOOP
    EXECUTE format('DROP TABLE "outbox".%I', v_partition);
    v_dropped := v_dropped + 1;
  END LOOP;
  RETURN v_dropped;
END
$$;
--> statement-breakpoint
-- Drops the partitions of outbox.archive whose day has come. Returns how many it dropped. Waits for its lock as prune_delivered
-- does.
CREATE FUNCTION "outbox".prune_archive() RETURNS integer
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET lock_timeout = '500ms' AS $$
DECLARE
  v_partition name;
  v_dropped integer := 0;
BEGIN
  FOR v_partition IN
    SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = '"outbox".archive'::regclass AND c.relname ~ '^archive_[0-9]{8}$'
      AND to_date(right(c.relname, 8), 'YYYYMMDD') <= (now() AT TIME ZONE 'UTC')::date
  LOOP
    EXECUTE format('DROP TABLE "outbox".%I', v_partition);
    v_dropped := v_dropped + 1;
  END LOOP;
  RETURN v_dropped;
END
$$;
--> statement-breakpoint
-- Brings the BRIN indexes of outbox.delivered and outbox.archive up to date with the rows of the last minutes, which a search
-- reads completely until then. Called by a relay's maintenance. Waits at most 0.5 s for its lock, and then fails.
CREATE FUNCTION "outbox".summarize_delivered() RETURNS integer
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '500ms' AS $$
  SELECT coalesce(sum(brin_summarize_new_values(i.indexrelid)), 0)::integer
  FROM pg_inherits p JOIN pg_index i ON i.indrelid = p.inhrelid
    JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am a ON a.oid = c.relam
  WHERE p.inhparent IN ('"outbox".delivered'::regclass, '"outbox".archive'::regclass) AND a.amname = 'brin'
$$;
--> statement-breakpoint
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA "outbox" FROM PUBLIC;
