-- The functions that an app calls, and the wake-up that they send.
--
-- SECURITY DEFINER with a fixed search_path: a caller needs EXECUTE on the function that it calls, and no right on a table.

-- Whether enqueue sends wake-ups. 1: no, because commits are many or no relay receives notifications. 2: yes, because
-- commits are few. The relays set it: see src/relay/wake-up/notify-mode.ts.
-- It is a sequence, because setval is not transactional and leaves no dead rows. A row that changes with every burst would
-- collect dead versions under a long transaction, and every enqueue would read through them.
CREATE SEQUENCE "outbox".notify_flag AS integer MINVALUE 1 MAXVALUE 2 START 1 NO CYCLE;
--> statement-breakpoint
-- Sends a notification, unless the server's notification queue is more than half full. Returns whether it was sent.
--
-- A session that listens and stays in a transaction keeps the server from emptying the queue. Any role that may connect
-- can do so. When the queue is full, every transaction that has notified fails at COMMIT. The other half of the queue,
-- 4 GB by default, is room for notifications that are sent between this check and the COMMIT.
CREATE FUNCTION "outbox".notify(channel text, payload text) RETURNS boolean
LANGUAGE sql VOLATILE AS $$
  SELECT CASE WHEN pg_notification_queue_usage() <= 0.5
    THEN pg_notify(channel, payload) IS NOT NULL ELSE false END
$$;
--> statement-breakpoint
-- Notifies every relay that listens, busy or idle, while the notify flag is 2. Returns whether a notification was sent.
--
-- NOTIFY serialises commits across the whole server (measured: 7,200 to 3,100 tx/s with 8 writers), so it is sent only
-- while commits are few. It is a hint: correctness rests on polling.
--
-- The payload names the lane, as laneKey in src/store/lanes/lane.ts does, so the relay need not poll the other lanes.
-- `lane` is NULL for several lanes.
--
-- Speed: Postgres inlines this expression, and pg_sequence_last_value() does not scan the sequence. An enqueue pays
-- 0.3 us for it. A function with a query in it would cost 4 us.
CREATE FUNCTION "outbox".wake_relays(destination text, lane integer) RETURNS boolean
LANGUAGE sql VOLATILE AS $$
  SELECT CASE WHEN pg_sequence_last_value('"outbox".notify_flag'::regclass) = 2
    THEN "outbox".notify('outbox:wake', coalesce(destination || '#' || lane, '')) ELSE false END
$$;
--> statement-breakpoint
-- Raises an error for an unknown workspace if 100 other workspaces without a relay are in use. The number is limited,
-- because each name makes destinations that the views read, and a caller of enqueue can send any name.
--
-- The limit is exact: a name takes one of 100 existing rows. No transaction waits for another, because a row that an
-- open transaction has taken is skipped. Two transactions may take a row each for one name; register_workspaces frees
-- the second one. The share lock keeps register_workspaces from freeing a name while this transaction enqueues for it.
-- A caller at REPEATABLE READ may get 40001 here, if another transaction took the row meanwhile.
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
-- Stores a dedup key for an intent, unless it was used within its window. Returns the id of the intent that has the key.
CREATE FUNCTION "outbox".claim_dedup_key(
  workspace text, dedup_key text, dedup_window interval, claimed_at timestamptz, intent_id uuid
) RETURNS uuid
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_id uuid := intent_id;
BEGIN
  INSERT INTO "outbox".dedup AS d (workspace, key, intent_id, expires_at)
  VALUES (claim_dedup_key.workspace, dedup_key, v_id,
          claimed_at + make_interval(secs => date_part('epoch', dedup_window)))
  ON CONFLICT ON CONSTRAINT dedup_pkey DO UPDATE
    SET intent_id = excluded.intent_id, expires_at = excluded.expires_at
    WHERE d.expires_at <= claimed_at;
  IF NOT FOUND THEN
    SELECT d.intent_id INTO v_id FROM "outbox".dedup d
    WHERE d.workspace = claim_dedup_key.workspace AND d.key = dedup_key;
  END IF;
  RETURN v_id;
END
$$;
--> statement-breakpoint
-- As claim_dedup_key, for an element of each array. A key that is NULL claims nothing.
--
-- Keys are inserted in sorted order, so two calls with common keys cannot deadlock. Within the arrays the first intent of a
-- key has it.
CREATE FUNCTION "outbox".claim_dedup_keys(
  workspaces text[], dedup_keys text[], dedup_windows interval[], claimed_at timestamptz, intent_ids uuid[]
) RETURNS uuid[]
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  INSERT INTO "outbox".dedup AS d (workspace, key, intent_id, expires_at)
  SELECT * FROM (
    SELECT DISTINCT ON (i.workspace, i.key) i.workspace, i.key, i.id,
           claimed_at + make_interval(secs => date_part('epoch', i.within))
    FROM unnest(workspaces, dedup_keys, dedup_windows, intent_ids) WITH ORDINALITY AS i(workspace, key, within, id, ord)
    WHERE i.key IS NOT NULL
    ORDER BY i.workspace, i.key, i.ord) AS first_of_key
  ON CONFLICT ON CONSTRAINT dedup_pkey DO UPDATE
    SET intent_id = excluded.intent_id, expires_at = excluded.expires_at
    WHERE d.expires_at <= claimed_at;
  RETURN ARRAY(
    SELECT coalesce(d.intent_id, i.id)
    FROM unnest(workspaces, dedup_keys, intent_ids) WITH ORDINALITY AS i(workspace, key, id, ord)
      LEFT JOIN "outbox".dedup d ON d.workspace = i.workspace AND d.key = i.key
    ORDER BY i.ord);
END
$$;
--> statement-breakpoint
-- Stores one intent in the caller's transaction. COMMIT makes it durable. ROLLBACK, also to a savepoint, leaves nothing,
-- and no dedup key.
--
-- Returns one row: the intent's id. If the dedup key was used within its window, it returns the earlier intent's id and
-- duplicate = true. Two open transactions with the same key wait for each other: the second intent is a duplicate if the
-- first commits, and is stored if the first rolls back.
--
-- plan_checked: for the TypeScript client, which checks events against a plan of its own. The plan of SQL callers is not
-- checked then.
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
  plan_checked boolean DEFAULT false,
  OUT id uuid,
  OUT duplicate boolean
)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  -- A variable and not now(). So the window is exact in a transaction that began long ago, and Citus could distribute the
  -- table: it allows no call of now() in ON CONFLICT … WHERE.
  v_now timestamptz := clock_timestamp();
  v_key text := "outbox".check_intent(operation, CASE WHEN plan_checked THEN payload ELSE "outbox".planned(operation, payload) END,
                                      dedup_key, dedup_window, ordering_key, send_after, expires_at, workspace, on_ambiguous,
                                      priority, v_now, false);
  v_id uuid := "outbox".new_id();
  v_destination text := "outbox".readable_workspace(workspace, operation) || '/' || "outbox".api_of(operation);
  v_lane integer := -1;
  v_woken boolean;
BEGIN
  IF workspace <> 'default' THEN
    PERFORM FROM "outbox".workspaces w WHERE w.name = enqueue.workspace; -- inline: a function call costs 4 us more
    IF NOT FOUND THEN
      PERFORM "outbox".admit_workspace(workspace);
    END IF;
  END IF;
  id := v_id;
  duplicate := false;
  IF dedup_key IS NOT NULL THEN
    id := "outbox".claim_dedup_key(workspace, dedup_key, dedup_window, v_now, v_id);
    duplicate := id IS DISTINCT FROM v_id;
    IF duplicate THEN
      RETURN;
    END IF;
  END IF;

  IF send_after IS NULL OR send_after <= v_now THEN
    v_lane := "outbox".lane_of(v_destination, v_key, priority);
  END IF;
  INSERT INTO "outbox".intents (destination, lane, id, operation, name, payload, ordering_key, priority,
                                on_ambiguous, enqueued_at, send_after, expires_at)
  VALUES (v_destination, v_lane, enqueue.id, operation, "outbox".name_of(operation, payload), payload::json, v_key, priority,
          on_ambiguous, v_now, send_after, expires_at);
  v_woken := v_lane >= 0 AND "outbox".wake_relays(v_destination, v_lane);
END
$$;
--> statement-breakpoint
-- Stores an array of objects in one statement, in the array's order. An object's fields are named like enqueue's parameters.
--
-- Within one array the first intent of a dedup key is stored, and the later ones are its duplicates.
--
-- numbers_checked: the caller claims that JavaScript wrote every number of the payloads, so that each fits a double. The
-- check of numbers is then skipped, which took a tenth of the statement's time. If the claim is false, Customer.io receives
-- other numbers, and an intent with a number beyond the range of a double becomes a dead letter with reason 'invalid'.
-- plan_checked: as for enqueue.
CREATE FUNCTION "outbox".enqueue_many(
  intents jsonb, numbers_checked boolean DEFAULT false, plan_checked boolean DEFAULT false
)
RETURNS TABLE (ordinal integer, id uuid, duplicate boolean)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_now timestamptz := clock_timestamp();
  v_ids uuid[];
  v_keys text[];
  v_results uuid[];
  v_workspaces text[];
  v_destination text;
  v_lane integer;
  v_single_lane boolean;
  v_woken boolean;
  v_message text;
  v_hint text;
BEGIN
  IF intents IS NULL OR jsonb_typeof(intents) <> 'array' THEN
    RAISE EXCEPTION 'outbox: enqueue_many takes a JSON array, got %', coalesce(jsonb_typeof(intents), 'NULL')
      USING ERRCODE = 'invalid_parameter_value';
  END IF;

  -- jsonb_to_recordset casts the fields, and fails for an element that is no object. The errors are those of Postgres'
  -- types and may repeat a long text. So they are cut, and name this function.
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
        i.operation, CASE WHEN plan_checked THEN i.payload ELSE "outbox".planned(i.operation, i.payload) END,
        i.dedup_key, coalesce(i.dedup_window, '7 days'), i.ordering_key, i.send_after, i.expires_at,
        coalesce(i.workspace, 'default'), coalesce(i.on_ambiguous, 'park'),
        coalesce(i.priority, 'normal'), v_now, numbers_checked) AS checked(key);
  EXCEPTION WHEN data_exception THEN
    GET STACKED DIAGNOSTICS v_message = MESSAGE_TEXT, v_hint = PG_EXCEPTION_HINT;
    IF jsonb_path_exists(intents, 'strict $[*] ? (@.type() != "object")') THEN
      v_message := 'outbox: enqueue_many takes an array of JSON objects, got '
        || (jsonb_path_query_first(intents, 'strict $[*].type() ? (@ != "object")') #>> '{}') || ' in it';
    ELSIF v_message NOT LIKE 'outbox: %' THEN
      v_message := 'outbox: enqueue_many: ' || left(v_message, 200);
      v_hint := 'Each field takes the same values as the parameter of that name of enqueue.';
    END IF;
    RAISE EXCEPTION USING MESSAGE = v_message, ERRCODE = 'invalid_parameter_value', HINT = v_hint;
  END;
  IF v_ids IS NULL THEN
    RETURN;
  END IF;
  v_results := v_ids;
  IF v_workspaces IS NOT NULL THEN
    PERFORM "outbox".admit_workspace(w.name) FROM unnest(v_workspaces) AS w(name);
  END IF;

  IF jsonb_path_exists(intents, '$[*].dedup_key ? (@ != null)') THEN
    SELECT "outbox".claim_dedup_keys(array_agg(coalesce(i.workspace, 'default') ORDER BY i.ord),
                                     array_agg(i.dedup_key ORDER BY i.ord),
                                     array_agg(coalesce(i.dedup_window, '7 days') ORDER BY i.ord), v_now, v_ids)
    INTO v_results
    FROM ROWS FROM (jsonb_to_recordset(intents) AS (workspace text, dedup_key text, dedup_window interval))
      WITH ORDINALITY AS i(workspace, dedup_key, dedup_window, ord);
  END IF;

  WITH stored AS (
    INSERT INTO "outbox".intents (destination, lane, id, operation, name, payload, ordering_key, priority,
                                  on_ambiguous, enqueued_at, send_after, expires_at)
    SELECT k.destination,
           CASE WHEN i.send_after > v_now THEN -1
                ELSE "outbox".lane_of(k.destination, v_keys[i.ord], coalesce(i.priority, 'normal')) END,
           v_ids[i.ord], i.operation, "outbox".name_of(i.operation, i.payload), i.payload::json, v_keys[i.ord], coalesce(i.priority, 'normal'),
           coalesce(i.on_ambiguous, 'park'), v_now, i.send_after, i.expires_at
    FROM ROWS FROM (jsonb_to_recordset(intents) AS (
        operation text, payload jsonb, send_after timestamptz, expires_at timestamptz,
        workspace text, on_ambiguous text, priority text))
      WITH ORDINALITY AS i(operation, payload, send_after, expires_at, workspace, on_ambiguous, priority, ord),
      LATERAL (SELECT "outbox".readable_workspace(coalesce(i.workspace, 'default'), i.operation) || '/'
                      || "outbox".api_of(i.operation) AS destination) k
    WHERE v_results[i.ord] = v_ids[i.ord]
    ORDER BY i.ord
    RETURNING destination, lane)
  SELECT min(destination), min(lane), min(lane) = max(lane) AND min(destination) = max(destination)
  INTO v_destination, v_lane, v_single_lane
  FROM stored WHERE lane >= 0;
  IF v_lane IS NOT NULL THEN
    v_woken := "outbox".wake_relays(v_destination, CASE WHEN v_single_lane THEN v_lane END);
  END IF;
  RETURN QUERY
    SELECT o.ord::integer, v_results[o.ord], v_results[o.ord] <> v_ids[o.ord]
    FROM generate_series(1, cardinality(v_ids)) AS o(ord);
END
$$;
--> statement-breakpoint
-- Raises the error for arguments of which wire_of can make no text. VOLATILE, so that the planner does not call it.
CREATE FUNCTION "outbox".refuse_wire() RETURNS json
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  RAISE EXCEPTION 'outbox: the arguments are no operation that can be stored as wire text'
    USING ERRCODE = 'invalid_parameter_value',
          HINT = 'operation: identify, track, trackPageView or trackScreen. person_kind: id, email, phone or cio_id. person: 1 to 150 bytes. name: 1 to 100 bytes, NULL for identify. attributes: a JSON object of at most 32,000 bytes. occurred_at: Unix seconds. Arrays: all of one length.';
END
$$;
--> statement-breakpoint
-- Stores one operation of a person as wire text, with the default of every option. Returns as enqueue does.
--
-- This function and the next two are for the TypeScript client, which has checked the operation. Other callers take enqueue
-- and enqueue_many, whose payloads the relay checks before it sends them.
--
-- Speed: every transaction prepares a function's statements again, so this one has a single statement. The eight options
-- are parameters of enqueue_wire_with only: to cast their values took 44 us of each call.
CREATE FUNCTION "outbox".enqueue_wire(
  operation text,
  person_kind text,
  person text,
  name text,
  attributes text,
  occurred_at bigint,
  OUT id uuid,
  OUT duplicate boolean
)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_woken boolean;
BEGIN
  INSERT INTO "outbox".intents AS i (destination, lane, id, format, operation, name, payload, ordering_key, enqueued_at)
  SELECT "outbox".readable_workspace('default', operation) || '/track', "outbox".lane_of('default/track', w.key, 'normal'),
         "outbox".new_id(), 2, operation, name,
         "outbox".wire_of(operation, person_kind, person, name, attributes,
                          coalesce(occurred_at, floor(date_part('epoch', w.now))::bigint))::json,
         w.key, w.now
  FROM (SELECT "outbox".wire_key(person_kind, person) AS key, clock_timestamp() AS now) AS w
  WHERE "outbox".is_wire(operation, person_kind, person, name, attributes, occurred_at)
  RETURNING i.id, false, "outbox".wake_relays(i.destination, i.lane) INTO id, duplicate, v_woken;
  IF id IS NULL THEN
    PERFORM "outbox".refuse_wire();
  END IF;
END
$$;
--> statement-breakpoint
-- As enqueue_wire, with the options of enqueue.
CREATE FUNCTION "outbox".enqueue_wire_with(
  operation text,
  person_kind text,
  person text,
  name text,
  attributes text,
  occurred_at bigint,
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
  v_now timestamptz := clock_timestamp();
  v_id uuid := "outbox".new_id();
  v_woken boolean;
BEGIN
  IF "outbox".is_wire(operation, person_kind, person, name, attributes, occurred_at) IS NOT TRUE THEN
    PERFORM "outbox".refuse_wire();
  END IF;
  PERFORM "outbox".check_intent(operation, '{}', dedup_key, dedup_window, coalesce(ordering_key, person), send_after,
                                expires_at, workspace, on_ambiguous, priority, v_now, true);
  IF workspace <> 'default' THEN
    PERFORM "outbox".admit_workspace(workspace);
  END IF;
  IF dedup_key IS NOT NULL THEN
    id := "outbox".claim_dedup_key(workspace, dedup_key, dedup_window, v_now, v_id);
    IF id IS DISTINCT FROM v_id THEN
      duplicate := true;
      RETURN;
    END IF;
  END IF;
  INSERT INTO "outbox".intents AS i (destination, lane, id, format, operation, name, payload, ordering_key, priority,
                                     on_ambiguous, enqueued_at, send_after, expires_at)
  SELECT w.destination, CASE WHEN send_after > v_now THEN -1 ELSE "outbox".lane_of(w.destination, w.key, priority) END,
         v_id, 2, operation, name,
         "outbox".wire_of(operation, person_kind, person, name, attributes,
                          coalesce(occurred_at, floor(date_part('epoch', v_now))::bigint))::json,
         w.key, priority, on_ambiguous, v_now, send_after, expires_at
  FROM (SELECT "outbox".readable_workspace(workspace, operation) || '/track' AS destination,
               coalesce(ordering_key, "outbox".wire_key(person_kind, person)) AS key) AS w
  RETURNING i.id, false, i.lane >= 0 AND "outbox".wake_relays(i.destination, i.lane)
  INTO id, duplicate, v_woken;
END
$$;
--> statement-breakpoint
-- Stores operations of people as wire texts, in one statement and in the order of the arrays, as enqueue_many does. The
-- options apply to every operation. Returns one row, with the arrays of the ids and of the duplicates.
--
-- Every array has an element for each operation, and no element is NULL, because a session may read the text NULL as a word
-- (array_nulls): '' is no name and no dedup key, -1 is no time. dedup_keys may be NULL as a whole.
--
-- attributes: JSON texts, each an object or null, with the character U+001E between each two. JSON text cannot contain this
-- character. An array of these texts took the server 2.6 us more for each to read.
CREATE FUNCTION "outbox".enqueue_wire_many(
  operations text[],
  person_kinds text[],
  persons text[],
  names text[],
  attributes text,
  occurred_at bigint[],
  dedup_keys text[] DEFAULT NULL,
  dedup_window interval DEFAULT '7 days',
  ordering_key text DEFAULT NULL,
  send_after timestamptz DEFAULT NULL,
  expires_at timestamptz DEFAULT NULL,
  workspace text DEFAULT 'default',
  on_ambiguous text DEFAULT 'park',
  priority text DEFAULT 'normal',
  OUT ids uuid[],
  OUT duplicates boolean[]
)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_now timestamptz := clock_timestamp();
  v_second bigint := floor(date_part('epoch', v_now));
  v_destination text := workspace || '/track';
  v_attributes text[] := string_to_array(attributes, chr(30));
  v_count integer := cardinality(operations);
  -- The new ids differ in their last 48 bits, which count up from a random number. So one call draws random bits once.
  v_first text := "outbox".new_id()::text;
  v_new uuid[] := ARRAY(
    SELECT "outbox".id_after(left(v_first, 24), ('x' || right(v_first, 12))::bit(48)::bigint, n)
    FROM generate_series(1, v_count) AS n ORDER BY n);
  v_lane integer;
  v_single_lane boolean;
  v_woken boolean;
BEGIN
  IF (cardinality(person_kinds) = v_count AND cardinality(persons) = v_count AND cardinality(names) = v_count
      AND cardinality(v_attributes) = v_count AND cardinality(occurred_at) = v_count
      AND coalesce(cardinality(dedup_keys), v_count) = v_count) IS NOT TRUE THEN
    PERFORM "outbox".refuse_wire();
  END IF;
  PERFORM "outbox".check_intent('track', '{}', nullif(k.dedup_key, ''), dedup_window, coalesce(ordering_key, 'any'),
                                send_after, expires_at, workspace, on_ambiguous, priority, v_now, true)
  FROM unnest(array_append(dedup_keys, '')) AS k(dedup_key);
  ids := v_new;
  duplicates := '{}';
  IF v_count = 0 THEN
    RETURN;
  END IF;
  IF workspace <> 'default' THEN
    PERFORM "outbox".admit_workspace(workspace);
  END IF;
  IF dedup_keys IS NOT NULL THEN
    ids := "outbox".claim_dedup_keys(array_fill(workspace, ARRAY[v_count]), array_replace(dedup_keys, '', NULL),
                                     array_fill(dedup_window, ARRAY[v_count]), v_now, v_new);
  END IF;
  duplicates := ARRAY(SELECT v_new[n] <> ids[n] FROM generate_series(1, v_count) AS n ORDER BY n);

  WITH stored AS (
    INSERT INTO "outbox".intents (destination, lane, id, format, operation, name, payload, ordering_key, priority,
                                  on_ambiguous, enqueued_at, send_after, expires_at)
    SELECT "outbox".readable_workspace(workspace, i.o) || '/track',
           CASE WHEN send_after > v_now THEN -1 ELSE "outbox".lane_of(v_destination, k.key, priority) END,
           v_new[i.ord], 2, i.o, k.name,
           CASE WHEN "outbox".is_wire(i.o, i.kind, i.person, k.name, k.data, k.at)
             THEN "outbox".wire_of(i.o, i.kind, i.person, k.name, k.data, coalesce(k.at, v_second))::json
             ELSE "outbox".refuse_wire() END,
           k.key, priority, on_ambiguous, v_now, send_after, expires_at
    FROM unnest(operations, person_kinds, persons, names, v_attributes, occurred_at)
        WITH ORDINALITY AS i(o, kind, person, name, data, at, ord),
      LATERAL (SELECT coalesce(ordering_key, "outbox".wire_key(i.kind, i.person)) AS key, nullif(i.name, '') AS name,
                      nullif(i.data, 'null') AS data, nullif(i.at, -1) AS at) AS k
    WHERE v_new[i.ord] = ids[i.ord]
    ORDER BY i.ord
    RETURNING lane)
  SELECT min(lane), min(lane) = max(lane) INTO v_lane, v_single_lane FROM stored WHERE lane >= 0;
  IF v_lane IS NOT NULL THEN
    v_woken := "outbox".wake_relays(v_destination, CASE WHEN v_single_lane THEN v_lane END);
  END IF;
END
$$;
--> statement-breakpoint
-- Raises the error for arguments that enqueue_encrypted cannot store. VOLATILE, so that the planner does not call it.
CREATE FUNCTION "outbox".refuse_envelope() RETURNS json
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  RAISE EXCEPTION 'outbox: the payload is no envelope of an encrypted payload'
    USING ERRCODE = 'invalid_parameter_value',
          HINT = 'Enqueue from TypeScript, with createOutbox({ encryption }). An envelope is {"v":1,"key":"…","iv":"…","data":"…"} without spaces, of at most 44,000 bytes (4,010,000 for a message or broadcast). Arrays: all of one length.';
END
$$;
--> statement-breakpoint
-- Stores one intent whose payload the TypeScript client has checked and encrypted. Returns as enqueue does.
--
-- ordering_key: required, because the database cannot read the person. The envelope opens with this key only. name: what stays
-- readable of the payload, usually NULL.
CREATE FUNCTION "outbox".enqueue_encrypted(
  operation text,
  envelope text,
  name text,
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
  v_now timestamptz := clock_timestamp();
  v_key text := "outbox".check_intent(operation, '{}', dedup_key, dedup_window, coalesce(ordering_key, ''), send_after,
                                      expires_at, workspace, on_ambiguous, priority, v_now, true);
  v_id uuid := "outbox".new_id();
  v_woken boolean;
BEGIN
  IF "outbox".is_envelope(operation, envelope) IS NOT TRUE THEN
    PERFORM "outbox".refuse_envelope();
  END IF;
  IF workspace <> 'default' THEN
    PERFORM "outbox".admit_workspace(workspace);
  END IF;
  IF dedup_key IS NOT NULL THEN
    id := "outbox".claim_dedup_key(workspace, dedup_key, dedup_window, v_now, v_id);
    IF id IS DISTINCT FROM v_id THEN
      duplicate := true;
      RETURN;
    END IF;
  END IF;
  INSERT INTO "outbox".intents AS i (destination, lane, id, format, operation, name, payload, ordering_key, priority,
                                     on_ambiguous, enqueued_at, send_after, expires_at)
  SELECT w.destination, CASE WHEN send_after > v_now THEN -1 ELSE "outbox".lane_of(w.destination, v_key, priority) END,
         v_id, 3, operation, left(name, 500), envelope::json, v_key, priority, on_ambiguous, v_now, send_after, expires_at
  FROM (SELECT workspace || '/' || "outbox".api_of(operation) AS destination) AS w
  RETURNING i.id, false, i.lane >= 0 AND "outbox".wake_relays(i.destination, i.lane)
  INTO id, duplicate, v_woken;
END
$$;
--> statement-breakpoint
-- As enqueue_encrypted, for an element of each array, in one statement and in the order of the arrays. The options apply to every
-- intent. Returns one row, with the arrays of the ids and of the duplicates.
--
-- No element is NULL: '' is no name and no dedup key. dedup_keys may be NULL as a whole. envelopes: the texts, with the character
-- U+001E between each two, as in enqueue_wire_many.
CREATE FUNCTION "outbox".enqueue_encrypted_many(
  operations text[],
  envelopes text,
  names text[],
  dedup_keys text[],
  dedup_window interval,
  ordering_keys text[],
  send_after timestamptz DEFAULT NULL,
  expires_at timestamptz DEFAULT NULL,
  workspace text DEFAULT 'default',
  on_ambiguous text DEFAULT 'park',
  priority text DEFAULT 'normal',
  OUT ids uuid[],
  OUT duplicates boolean[]
)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_now timestamptz := clock_timestamp();
  v_envelopes text[] := string_to_array(envelopes, chr(30));
  v_count integer := cardinality(operations);
  v_first text := "outbox".new_id()::text;
  v_new uuid[] := ARRAY(
    SELECT "outbox".id_after(left(v_first, 24), ('x' || right(v_first, 12))::bit(48)::bigint, n)
    FROM generate_series(1, v_count) AS n ORDER BY n);
  v_destination text;
  v_lane integer;
  v_single_lane boolean;
  v_woken boolean;
BEGIN
  IF (cardinality(v_envelopes) = v_count AND cardinality(names) = v_count AND cardinality(ordering_keys) = v_count
      AND coalesce(cardinality(dedup_keys), v_count) = v_count) IS NOT TRUE THEN
    PERFORM "outbox".refuse_envelope();
  END IF;
  PERFORM "outbox".check_intent(i.operation, '{}', nullif(i.dedup_key, ''), dedup_window, coalesce(i.ordering_key, ''), send_after,
                                expires_at, workspace, on_ambiguous, priority, v_now, true)
  FROM unnest(operations, dedup_keys, ordering_keys) AS i(operation, dedup_key, ordering_key);
  ids := v_new;
  duplicates := '{}';
  IF v_count = 0 THEN
    RETURN;
  END IF;
  IF workspace <> 'default' THEN
    PERFORM "outbox".admit_workspace(workspace);
  END IF;
  IF dedup_keys IS NOT NULL THEN
    ids := "outbox".claim_dedup_keys(array_fill(workspace, ARRAY[v_count]), array_replace(dedup_keys, '', NULL),
                                     array_fill(dedup_window, ARRAY[v_count]), v_now, v_new);
  END IF;
  duplicates := ARRAY(SELECT v_new[n] <> ids[n] FROM generate_series(1, v_count) AS n ORDER BY n);

  WITH stored AS (
    INSERT INTO "outbox".intents (destination, lane, id, format, operation, name, payload, ordering_key, priority,
                                  on_ambiguous, enqueued_at, send_after, expires_at)
    SELECT k.destination,
           CASE WHEN send_after > v_now THEN -1 ELSE "outbox".lane_of(k.destination, i.key, priority) END,
           v_new[i.ord], 3, i.operation, left(nullif(i.name, ''), 500),
           CASE WHEN "outbox".is_envelope(i.operation, i.envelope) THEN i.envelope::json ELSE "outbox".refuse_envelope() END,
           i.key, priority, on_ambiguous, v_now, send_after, expires_at
    FROM unnest(operations, v_envelopes, names, ordering_keys) WITH ORDINALITY AS i(operation, envelope, name, key, ord),
      LATERAL (SELECT workspace || '/' || "outbox".api_of(i.operation) AS destination) AS k
    WHERE v_new[i.ord] = ids[i.ord]
    ORDER BY i.ord
    RETURNING destination, lane)
  SELECT min(destination), min(lane), min(lane) = max(lane) AND min(destination) = max(destination)
  INTO v_destination, v_lane, v_single_lane FROM stored WHERE lane >= 0;
  IF v_lane IS NOT NULL THEN
    v_woken := "outbox".wake_relays(v_destination, CASE WHEN v_single_lane THEN v_lane END);
  END IF;
END
$$;
--> statement-breakpoint
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA "outbox" FROM PUBLIC;
