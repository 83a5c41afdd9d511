-- The functions that an app calls, and those that maintenance calls.
--
-- Every object is written as "outbox".name and the channel as 'outbox:wake': the migrator puts the configured
-- schema's name in their place. SECURITY DEFINER with a fixed search_path: a caller needs EXECUTE and no right
-- on any table.

-- UUIDv7 for PostgreSQL 14 to 18 alike (uuidv7() came with 18): 48 bits of Unix milliseconds, then random.
CREATE FUNCTION "outbox".new_id() RETURNS uuid
LANGUAGE sql VOLATILE PARALLEL SAFE AS $$
  SELECT encode(
    set_bit(
      set_bit(
        overlay(uuid_send(gen_random_uuid())
          PLACING substring(int8send(floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3)
          FROM 1 FOR 6),
        52, 1),
      53, 1),
    'hex')::uuid
$$;
--> statement-breakpoint
-- Which of Customer.io's APIs takes an operation; NULL for an operation that cannot be enqueued.
CREATE FUNCTION "outbox".api_of(operation text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE
    WHEN operation IN ('identify', 'track', 'trackPageView', 'trackScreen', 'addDevice', 'deleteDevice',
                       'suppress', 'unsuppress', 'destroy', 'mergeCustomers', 'entity') THEN 'track'
  END
$$;
--> statement-breakpoint
-- A caller's text in an error message: quoted, at most 80 characters of it, without control characters.
CREATE FUNCTION "outbox".shown(value text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
  SELECT coalesce(quote_literal(regexp_replace(left(value, 80), '[[:cntrl:]]', '?', 'g')), 'NULL')
$$;
--> statement-breakpoint
-- The person (or object) an intent is about: intents with one key are delivered in order.
-- customerId 42, customerId "42" and identifiers {"id": 42} are one key; an email's case does not count.
CREATE FUNCTION "outbox".ordering_key_of(operation text, payload jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE
    WHEN operation = 'mergeCustomers' THEN
      coalesce(payload #>> '{primary,id}', lower(payload #>> '{primary,email}'), payload #>> '{primary,cio_id}')
    WHEN operation = 'entity' THEN
      coalesce(
        payload #>> '{entity,identifiers,id}', lower(payload #>> '{entity,identifiers,email}'),
        payload #>> '{entity,identifiers,phone}', payload #>> '{entity,identifiers,cio_id}',
        payload #>> '{entity,identifiers,anonymous_id}', payload #>> '{entity,identifiers,cio_object_id}',
        (payload #>> '{entity,identifiers,object_type_id}') || '/' || (payload #>> '{entity,identifiers,object_id}'),
        payload #>> '{entity,primary,id}', lower(payload #>> '{entity,primary,email}'),
        payload #>> '{entity,primary,cio_id}')
    ELSE
      coalesce(
        payload ->> 'customerId',
        payload #>> '{identifiers,id}', lower(payload #>> '{identifiers,email}'),
        payload #>> '{identifiers,phone}', payload #>> '{identifiers,cio_id}')
  END
$$;
--> statement-breakpoint
-- 16 lanes for normal intents, 16 more for bulk ones. The number is part of the format: a row keeps its lane.
CREATE FUNCTION "outbox".lane_of(destination text, ordering_key text, priority text) RETURNS smallint
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT ((hashtextextended(destination || '/' || ordering_key, 0) & 15)
          + CASE priority WHEN 'bulk' THEN 16 ELSE 0 END)::smallint
$$;
--> statement-breakpoint
-- 1: every relay is awake, no wake-up is needed. 2: a relay sleeps and wants one.
-- A sequence, because setval is not transactional and leaves no dead rows: a row that is updated with every
-- nap would grow under a long transaction, and every enqueue would read through its dead versions.
CREATE SEQUENCE "outbox".relay_idle AS integer MINVALUE 1 MAXVALUE 2 START 1 NO CYCLE;
--> statement-breakpoint
-- Raises one clear error for what no relay could deliver. Shapes of payloads are the TypeScript client's to
-- check: what passes here and cannot be mapped is dead-lettered as 'invalid', never lost. Returns the ordering key.
CREATE FUNCTION "outbox".check_intent(
  operation text, payload jsonb, dedup_key text, dedup_window interval, ordering_key text,
  send_after timestamptz, expires_at timestamptz, workspace text, on_ambiguous text, priority text,
  enqueued_at timestamptz, numbers_checked boolean
) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
  IF "outbox".api_of(operation) IS NULL THEN
    RAISE EXCEPTION 'outbox: unknown operation %', coalesce(quote_literal(operation), 'NULL')
      USING ERRCODE = 'invalid_parameter_value',
            HINT = 'identify, track, trackPageView, trackScreen, addDevice, deleteDevice, suppress, unsuppress, destroy, mergeCustomers, entity';
  END IF;
  IF payload IS NULL OR jsonb_typeof(payload) <> 'object' THEN
    RAISE EXCEPTION 'outbox: %: payload must be a JSON object, got %', operation, coalesce(jsonb_typeof(payload), 'NULL')
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF octet_length(payload::text) > 64000 THEN
    RAISE EXCEPTION 'outbox: %: payload is % bytes, Customer.io takes at most 32000 bytes for one operation',
      operation, octet_length(payload::text)
      USING ERRCODE = 'invalid_parameter_value', HINT = 'Send less data, or a link to it.';
  END IF;
  IF coalesce(ordering_key, "outbox".ordering_key_of(operation, payload), '') = '' THEN
    RAISE EXCEPTION 'outbox: %: the payload names no person', operation
      USING ERRCODE = 'invalid_parameter_value',
            HINT = 'Give customerId, or identifiers with one of id, email, phone, cio_id.';
  END IF;
  IF octet_length(ordering_key) > 500 THEN
    RAISE EXCEPTION 'outbox: %: ordering_key is % bytes, at most 500 are taken', operation, octet_length(ordering_key)
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF dedup_key = '' OR octet_length(dedup_key) > 500 THEN
    RAISE EXCEPTION 'outbox: %: dedup_key is % bytes, 1 to 500 are taken', operation, octet_length(dedup_key)
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF dedup_key IS NOT NULL AND (dedup_window IS NULL OR dedup_window <= interval '0') THEN
    RAISE EXCEPTION 'outbox: %: dedup_window must be longer than nothing, got %', operation, coalesce(dedup_window::text, 'NULL')
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF expires_at <= send_after THEN
    RAISE EXCEPTION 'outbox: %: expires_at must be later than send_after', operation
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF workspace IS DISTINCT FROM 'default' AND (workspace IS NULL OR workspace !~ '^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$') THEN
    RAISE EXCEPTION 'outbox: %: workspace must be 1 to 63 letters, digits, - or _, beginning with a letter or digit, got %', operation, coalesce(quote_literal(workspace), 'NULL')
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF on_ambiguous IS NULL OR on_ambiguous NOT IN ('park', 'resend') THEN
    RAISE EXCEPTION 'outbox: %: on_ambiguous must be park or resend, got %', operation, coalesce(quote_literal(on_ambiguous), 'NULL')
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF priority IS NULL OR priority NOT IN ('normal', 'bulk') THEN
    RAISE EXCEPTION 'outbox: %: priority must be normal or bulk, got %', operation, coalesce(quote_literal(priority), 'NULL')
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  RETURN coalesce(ordering_key, "outbox".ordering_key_of(operation, payload));
END
$$;
--> statement-breakpoint
-- Sends a notification, unless the server's queue of them is more than half full. Returns whether it was sent.
-- A session that listens and stays in a transaction keeps the queue from being emptied, and any role that may connect can
-- be that session. When the queue is full, every transaction that has notified fails at COMMIT. The other half is for the
-- notifications that are sent between this check and the COMMIT: 4 GB by default.
CREATE FUNCTION "outbox".notify(channel text, payload text) RETURNS boolean
LANGUAGE sql VOLATILE AS $$
  SELECT CASE WHEN pg_notification_queue_usage() <= 0.5
    THEN pg_notify(channel, payload) IS NOT NULL ELSE false END
$$;
--> statement-breakpoint
-- A NOTIFY serialises commits across the whole server (measured: 7,200 to 3,100 tx/s with 8 writers), so it is
-- sent only while a relay sleeps. It is a hint: polling is what correctness rests on. A lane that is named is woken
-- where it lingers, without a look at the others; `lane` is null where there are several. Returns whether it was sent.
-- An expression that is inlined, and pg_sequence_last_value() in place of a scan of the sequence: an enqueue pays 0.3 us
-- for it, and 4 us for a function with a query in it.
CREATE FUNCTION "outbox".wake_idle_relay(destination text, lane integer) RETURNS boolean
LANGUAGE sql VOLATILE AS $$
  SELECT CASE WHEN pg_sequence_last_value('"outbox".relay_idle'::regclass) = 2
    THEN "outbox".notify('outbox:wake', coalesce(destination || '#' || lane, '')) ELSE false END
$$;
--> statement-breakpoint
-- Whether a workspace still needs its name: intents wait for it, or an API of it is paused or has an open breaker.
CREATE FUNCTION "outbox".workspace_in_use(name text) RETURNS boolean
LANGUAGE sql STABLE AS $$
  SELECT EXISTS (
    SELECT FROM unnest('{track,app,broadcast,pipelines}'::text[]) AS a(api)
    -- EXISTS would become a semi-join with a scan of the whole queue.
    WHERE (SELECT true FROM "outbox".intents i WHERE i.destination = name || '/' || api ORDER BY i.lane, i.seq LIMIT 1)
       OR EXISTS (SELECT FROM "outbox".breakers b WHERE b.destination = name || '/' || api AND b.state <> 'closed'))
$$;
--> statement-breakpoint
-- Raises an error for a workspace that no relay serves if 100 others that no relay serves are in use. Each name
-- makes destinations that the views walk through, and any caller of enqueue can send any name.
--
-- The bound is exact, because a name takes one of 100 rows that exist, and no transaction waits for another: a row
-- that an open transaction has taken is skipped. Two transactions may take a row each for one name;
-- keep_workspaces frees the second. The share lock keeps keep_workspaces from freeing a name that this transaction
-- enqueues for. A caller at REPEATABLE READ may get 40001 here, if another transaction took the row meanwhile.
CREATE FUNCTION "outbox".admit_workspace(workspace text) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_slot smallint;
BEGIN
  PERFORM FROM "outbox".workspaces w WHERE w.name = admit_workspace.workspace;
  IF FOUND THEN
    RETURN;
  END IF;
  PERFORM FROM "outbox".unserved_workspaces u WHERE u.name = admit_workspace.workspace LIMIT 1 FOR KEY SHARE;
  IF FOUND THEN
    RETURN;
  END IF;
  SELECT u.slot INTO v_slot FROM "outbox".unserved_workspaces u
  WHERE u.name IS NULL ORDER BY u.slot LIMIT 1 FOR UPDATE SKIP LOCKED;
  IF v_slot IS NULL THEN
    RAISE EXCEPTION 'outbox: workspace % is not known, and 100 workspaces that no relay serves are in use',
      quote_literal(workspace)
      USING ERRCODE = 'configuration_limit_exceeded',
            HINT = 'Check the name. If it is right, start a relay with the credentials of the workspace first.';
  END IF;
  UPDATE "outbox".unserved_workspaces u SET name = admit_workspace.workspace WHERE u.slot = v_slot;
END
$$;
--> statement-breakpoint
-- Called by every relay when it starts, when its settings change and with its maintenance. Registers the workspaces
-- that the relay serves, frees the names that need no slot any more, and forgets workspaces that no relay has
-- served for 7 days. Also makes the rows of `locks` and the slots, should they be missing.
CREATE FUNCTION "outbox".keep_workspaces(served text[]) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '500ms' AS $$
DECLARE
  v record;
BEGIN
  INSERT INTO "outbox".locks (name)
  SELECT n FROM unnest('{promote,jobs}'::text[]) AS n
  WHERE NOT EXISTS (SELECT FROM "outbox".locks l WHERE l.name = n) ON CONFLICT DO NOTHING;
  -- ON CONFLICT alone would wait for every open transaction that has taken a slot.
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
  -- Each row is locked first and looked at by a statement of its own: that one sees what every transaction which
  -- had the row before has committed.
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
SELECT "outbox".keep_workspaces('{}');
--> statement-breakpoint
-- Stores one intent in the caller's transaction. Commit makes it durable, rollback (also to a savepoint)
-- leaves nothing, its dedup key included. Returns one row: the intent's id, or, where the key was used within its
-- window, the earlier intent's id and duplicate = true. Two open transactions with one key wait for each
-- other: the second is a duplicate if the first commits, and stored if it rolls back.
CREATE FUNCTION "outbox".enqueue(
  operation text,
  payload jsonb,
  dedup_key text DEFAULT NULL,
  dedup_window interval DEFAULT '7 days',
  ordering_key text DEFAULT NULL,
  send_after timestamptz DEFAULT NULL,
  expires_at timestamptz DEFAULT NULL,
  workspace text DEFAULT 'default',
  on_ambiguous text DEFAULT 'park',
  priority text DEFAULT 'normal',
  OUT id uuid,
  OUT duplicate boolean
)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  -- A variable and not now(): the window is exact also in a transaction that began long ago, and a function
  -- call in ON CONFLICT … WHERE would keep the table from being distributed.
  v_now timestamptz := clock_timestamp();
  v_key text := "outbox".check_intent(operation, payload, dedup_key, dedup_window, ordering_key,
                                      send_after, expires_at, workspace, on_ambiguous, priority, v_now, false);
  v_destination text := workspace || '/' || "outbox".api_of(operation);
  v_lane integer := -1;
  v_woken boolean;
BEGIN
  IF workspace <> 'default' THEN
    PERFORM FROM "outbox".workspaces w WHERE w.name = enqueue.workspace; -- here: a call of a function costs 4 us more
    IF NOT FOUND THEN
      PERFORM "outbox".admit_workspace(workspace);
    END IF;
  END IF;
  id := "outbox".new_id();
  duplicate := false;
  IF dedup_key IS NOT NULL THEN
    INSERT INTO "outbox".dedup AS d (workspace, key, intent_id, expires_at)
    VALUES (enqueue.workspace, dedup_key, enqueue.id,
            v_now + make_interval(secs => date_part('epoch', dedup_window)))
    ON CONFLICT ON CONSTRAINT dedup_pkey DO UPDATE
      SET intent_id = excluded.intent_id, expires_at = excluded.expires_at
      WHERE d.expires_at <= v_now;
    IF NOT FOUND THEN
      SELECT d.intent_id INTO id FROM "outbox".dedup d
      WHERE d.workspace = enqueue.workspace AND d.key = dedup_key;
      duplicate := true;
      RETURN;
    END IF;
  END IF;

  IF send_after IS NULL OR send_after <= v_now THEN
    v_lane := "outbox".lane_of(v_destination, v_key, priority);
  END IF;
  INSERT INTO "outbox".intents (destination, lane, id, operation, payload, ordering_key, priority,
                                on_ambiguous, enqueued_at, send_after, expires_at)
  VALUES (v_destination, v_lane, enqueue.id, operation, payload, v_key, priority, on_ambiguous, v_now, send_after,
          expires_at);
  v_woken := v_lane >= 0 AND "outbox".wake_idle_relay(v_destination, v_lane);
END
$$;
--> statement-breakpoint
-- The same for an array of objects with the names of enqueue's parameters, in the array's order, in one
-- statement. Keys are taken in sorted order, so that two arrays with common keys cannot deadlock.
-- Within one array the first intent of a key is stored and the later ones are its duplicates.
--
-- numbers_checked: JavaScript wrote every number of the payloads, so each fits a double, and they are not looked through
-- (that took a tenth of the statement). If it is not true, Customer.io gets other numbers than
-- these, and an intent with a number beyond the range of a double becomes a dead letter of reason 'invalid'.
CREATE FUNCTION "outbox".enqueue_many(intents jsonb, numbers_checked boolean DEFAULT false)
RETURNS TABLE (ordinal integer, id uuid, duplicate boolean)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_now timestamptz := clock_timestamp();
  v_ids uuid[];
  v_keys text[];
  v_kept uuid[];
  v_workspaces text[];
  v_destination text;
  v_lane integer;
  v_one boolean;
  v_woken boolean;
  v_message text;
  v_hint text;
BEGIN
  IF intents IS NULL OR jsonb_typeof(intents) <> 'array' THEN
    RAISE EXCEPTION 'outbox: enqueue_many takes a JSON array, got %', coalesce(jsonb_typeof(intents), 'NULL')
      USING ERRCODE = 'invalid_parameter_value';
  END IF;

  -- jsonb_to_recordset refuses what is no object, and casts the fields. Its errors are those of Postgres' types and may
  -- repeat a long text: so they are cut, and say which function was called.
  BEGIN
    SELECT array_agg("outbox".new_id() ORDER BY i.ord), array_agg(checked.key ORDER BY i.ord),
           array_agg(DISTINCT i.workspace) FILTER (WHERE i.workspace <> 'default')
    INTO v_ids, v_keys, v_workspaces
    FROM ROWS FROM (jsonb_to_recordset(intents) AS (
        operation text, payload jsonb, dedup_key text, dedup_window interval, ordering_key text,
        send_after timestamptz, expires_at timestamptz, workspace text, on_ambiguous text, priority text))
      WITH ORDINALITY AS i(operation, payload, dedup_key, dedup_window, ordering_key,
                           send_after, expires_at, workspace, on_ambiguous, priority, ord),
      LATERAL "outbox".check_intent(
        i.operation, i.payload, i.dedup_key, coalesce(i.dedup_window, '7 days'), i.ordering_key, i.send_after,
        i.expires_at, coalesce(i.workspace, 'default'), coalesce(i.on_ambiguous, 'park'),
        coalesce(i.priority, 'normal'), v_now, numbers_checked) AS checked(key);
  EXCEPTION WHEN data_exception THEN
    GET STACKED DIAGNOSTICS v_message = MESSAGE_TEXT, v_hint = PG_EXCEPTION_HINT;
    IF jsonb_path_exists(intents, 'strict $[*] ? (@.type() != "object")') THEN
      v_message := 'outbox: enqueue_many takes an array of JSON objects, got '
        || (jsonb_path_query_first(intents, 'strict $[*].type() ? (@ != "object")') #>> '{}') || ' in it';
    ELSIF v_message NOT LIKE 'outbox: %' THEN
      v_message := 'outbox: enqueue_many: ' || left(v_message, 200);
      v_hint := 'A field of an element takes what the parameter of that name takes in enqueue.';
    END IF;
    RAISE EXCEPTION USING MESSAGE = v_message, ERRCODE = 'invalid_parameter_value', HINT = v_hint;
  END;
  IF v_ids IS NULL THEN
    RETURN;
  END IF;
  v_kept := v_ids;
  IF v_workspaces IS NOT NULL THEN
    PERFORM "outbox".admit_workspace(w.name) FROM unnest(v_workspaces) AS w(name);
  END IF;

  IF jsonb_path_exists(intents, '$[*].dedup_key ? (@ != null)') THEN
    INSERT INTO "outbox".dedup AS d (workspace, key, intent_id, expires_at)
    SELECT * FROM (
      SELECT DISTINCT ON (w, i.dedup_key) coalesce(i.workspace, 'default') AS w, i.dedup_key,
             v_ids[i.ord],
             v_now + make_interval(secs => date_part('epoch', coalesce(i.dedup_window, '7 days')))
      FROM ROWS FROM (jsonb_to_recordset(intents) AS (workspace text, dedup_key text, dedup_window interval))
        WITH ORDINALITY AS i(workspace, dedup_key, dedup_window, ord)
      WHERE i.dedup_key IS NOT NULL
      ORDER BY w, i.dedup_key, i.ord) AS first_of_key
    ON CONFLICT ON CONSTRAINT dedup_pkey DO UPDATE
      SET intent_id = excluded.intent_id, expires_at = excluded.expires_at
      WHERE d.expires_at <= v_now;

    SELECT array_agg(coalesce(d.intent_id, v_ids[i.ord]) ORDER BY i.ord) INTO v_kept
    FROM ROWS FROM (jsonb_to_recordset(intents) AS (workspace text, dedup_key text))
      WITH ORDINALITY AS i(workspace, dedup_key, ord)
      LEFT JOIN "outbox".dedup d ON d.workspace = coalesce(i.workspace, 'default') AND d.key = i.dedup_key;
  END IF;

  WITH stored AS (
    INSERT INTO "outbox".intents (destination, lane, id, operation, payload, ordering_key, priority,
                                  on_ambiguous, enqueued_at, send_after, expires_at)
    SELECT k.destination,
           CASE WHEN i.send_after > v_now THEN -1
                ELSE "outbox".lane_of(k.destination, v_keys[i.ord], coalesce(i.priority, 'normal')) END,
           v_ids[i.ord], i.operation, i.payload, v_keys[i.ord], coalesce(i.priority, 'normal'),
           coalesce(i.on_ambiguous, 'park'), v_now, i.send_after, i.expires_at
    FROM ROWS FROM (jsonb_to_recordset(intents) AS (
        operation text, payload jsonb, send_after timestamptz, expires_at timestamptz,
        workspace text, on_ambiguous text, priority text))
      WITH ORDINALITY AS i(operation, payload, send_after, expires_at, workspace, on_ambiguous, priority, ord),
      LATERAL (SELECT coalesce(i.workspace, 'default') || '/' || "outbox".api_of(i.operation) AS destination) k
    WHERE v_kept[i.ord] = v_ids[i.ord]
    ORDER BY i.ord
    RETURNING destination, lane)
  SELECT min(destination), min(lane), min(lane) = max(lane) AND min(destination) = max(destination)
  INTO v_destination, v_lane, v_one
  FROM stored WHERE lane >= 0;
  IF v_lane IS NOT NULL THEN
    v_woken := "outbox".wake_idle_relay(v_destination, CASE WHEN v_one THEN v_lane END);
  END IF;
  RETURN QUERY
    SELECT o.ord::integer, v_kept[o.ord], v_kept[o.ord] <> v_ids[o.ord]
    FROM generate_series(1, cardinality(v_ids)) AS o(ord);
END
$$;
--> statement-breakpoint
-- How far the sequence has come, and which transactions may still commit rows below that. A transaction that
-- has written to outbox.intents holds its RowExclusiveLock until it ends, and had it before it drew a number; so
-- once every holder is gone, each row up to last_seq can be seen, or will never be. The number is read first.
CREATE FUNCTION "outbox".write_horizon(OUT last_seq bigint, OUT holders text[])
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  SELECT last_value INTO last_seq FROM "outbox".intents_seq_seq;
  SELECT coalesce(array_agg(virtualtransaction), '{}') INTO holders
  FROM pg_locks
  WHERE locktype = 'relation' AND granted AND mode = 'RowExclusiveLock'
    AND relation = '"outbox".intents'::regclass
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database());
END
$$;
--> statement-breakpoint
-- Creates the day partitions of outbox.delivered for today and the next two days. Rerunnable; called by
-- migrate and by a relay's maintenance. A table that is made first and then attached needs no lock that a reader
-- of outbox.delivered would hold up, and every settle with it; what cannot be had at once is left for the next
-- time, two days ahead.
CREATE FUNCTION "outbox".ensure_partitions() RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET lock_timeout = '500ms' SET timezone = 'UTC' SET datestyle = 'ISO' AS $$
DECLARE
  v_day date;
  v_name text;
BEGIN
  FOR v_day IN SELECT (now() AT TIME ZONE 'UTC')::date + n FROM generate_series(0, 2) AS n LOOP
    v_name := 'delivered_' || to_char(v_day, 'YYYYMMDD');
    -- A table of that name that is no partition is left alone: making another one fails, and says so.
    IF NOT EXISTS (SELECT FROM pg_inherits WHERE inhparent = '"outbox".delivered'::regclass
                   AND inhrelid = to_regclass('"outbox".' || v_name)) THEN
      -- One at a time. ATTACH PARTITION takes this lock anyway, and no role but the owner may take one in its way.
      LOCK TABLE ONLY "outbox".delivered IN SHARE UPDATE EXCLUSIVE MODE;
      CONTINUE WHEN EXISTS (SELECT FROM pg_inherits WHERE inhparent = '"outbox".delivered'::regclass
                            AND inhrelid = to_regclass('"outbox".' || v_name));
      EXECUTE format(
        'CREATE TABLE "outbox".%I (LIKE "outbox".delivered INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', v_name);
      EXECUTE format(
        'ALTER TABLE "outbox".delivered ATTACH PARTITION "outbox".%I FOR VALUES FROM (%L) TO (%L)',
        v_name, v_day::timestamp AT TIME ZONE 'UTC', (v_day + 1)::timestamp AT TIME ZONE 'UTC');
    END IF;
  END LOOP;
END
$$;
--> statement-breakpoint
-- Drops day partitions of outbox.delivered whose last row is older than `keep`. A drop takes no time with the
-- number of rows, but no reader of outbox.delivered may be at work: it waits half a second for that, and then
-- leaves it for the next time. Returns how many were dropped.
CREATE FUNCTION "outbox".prune_delivered(keep interval) RETURNS integer
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET lock_timeout = '500ms' AS $$
DECLARE
  v_partition name;
  v_dropped integer := 0;
BEGIN
  -- Less than nothing would drop the partition that is written to.
  IF (keep BETWEEN interval '0' AND interval '36525 days') IS NOT TRUE THEN
    RAISE EXCEPTION 'outbox: keep must be 0 to 36525 days (100 years), got %', coalesce(keep::text, 'NULL')
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  FOR v_partition IN
    SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = '"outbox".delivered'::regclass
      AND c.relname ~ '^delivered_[0-9]{8}$'
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
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA "outbox" FROM PUBLIC;
