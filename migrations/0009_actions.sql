-- Bulk actions: an operator previews and requests them, and a relay carries them out, chunk by chunk.
--
--   preview   counts what a filter matches, and names this set by a plan
--   apply     stores an action, unless the set is no longer that of the plan
--   run       does one chunk; the chunk, its history and the action's progress commit together
--   cancel    ends an action after the chunk that runs
--
--   queued ──run──▶ running ──run──▶ done
--     │                │
--     └────cancel──────┴──────────▶ cancelled        running ──fail──▶ failed

-- Every identifier of people in a payload, emails in lower case.
CREATE FUNCTION "outbox".people_of(payload jsonb) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
  SELECT coalesce(array_agg(DISTINCT CASE WHEN v #>> '{}' LIKE '%@%' THEN lower(v #>> '{}') ELSE v #>> '{}' END), '{}')
  FROM unnest('{$.customerId,$.anonymousId,$.identifiers.*,$.primary.*,$.secondary.*,$.entity.identifiers.*,$.entity.primary.*,
                $.entity.secondary.*,$.message.identifiers.*,$.message.to,$.message.userId,$.message.anonymousId,
                $.message.previousId,$.data.recipient}'::text[]) AS p(path),
    LATERAL jsonb_path_query(payload, btrim(p.path, E' \n')::jsonpath) AS v
  WHERE jsonb_typeof(v) IN ('string', 'number')
$$;
--> statement-breakpoint
-- Conditions of `erase` on the alias x. by_key is for `delivered`, which has no payloads. in_payload also finds intents whose ordering key
-- is not the person's: it compares every identifier in the payload, after a quick search for the text.
CREATE FUNCTION "outbox".erase_conditions(filter jsonb, OUT by_key text, OUT in_payload text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_keys text[] := "outbox".keys_of("outbox".filter_values(filter, 'person'));
  v_pattern text := (
    SELECT string_agg(regexp_replace(regexp_replace(to_json(k)::text, '^"|"$', '', 'g'), '([.\\+*?\[\]^$(){}|])', '\\\1', 'g'), '|')
    FROM unnest(v_keys) AS k);
BEGIN
  by_key := format('x.ordering_key = ANY (%L::text[])', v_keys)
    || CASE WHEN filter ? 'workspace' THEN format(' AND split_part(x.destination, ''/'', 1) = ANY (%L::text[])',
                                                  "outbox".filter_values(filter, 'workspace')) ELSE '' END;
  in_payload := format('(x.ordering_key = ANY (%L::text[]) OR x.payload::text ~* %L
      AND "outbox".people_of("outbox".payload_of(x.format, x.operation, x.payload::json, x.enqueued_at)) && %L::text[])',
      v_keys, format('[":]\s*(%s)[",}\]\s]', v_pattern), v_keys)
    || CASE WHEN filter ? 'workspace' THEN format(' AND split_part(x.destination, ''/'', 1) = ANY (%L::text[])',
                                                  "outbox".filter_values(filter, 'workspace')) ELSE '' END;
END
$$;
--> statement-breakpoint
-- A query for the intents that an action would touch, as SQL: id, destination, operation, ordering_key, enqueued_at.
CREATE FUNCTION "outbox".matching(kind text, filter jsonb, options jsonb) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_columns text := 'x.id, x.destination, x.operation, x.ordering_key, x.enqueued_at';
  v_condition text := "outbox".filter_condition(kind, filter);
  v_erase record;
BEGIN
  IF kind = 'erase' THEN
    SELECT * INTO v_erase FROM "outbox".erase_conditions(filter);
    RETURN format('SELECT %1$s FROM "outbox".intents x WHERE %3$s UNION SELECT %1$s FROM "outbox".dead_letters x WHERE %3$s
                   UNION SELECT %1$s FROM "outbox".delivered x WHERE %2$s UNION SELECT %1$s FROM "outbox".archive x WHERE %3$s',
                  v_columns, v_erase.by_key, v_erase.in_payload);
  END IF;
  RETURN format('SELECT %s FROM "outbox".%I x WHERE %s%s', v_columns,
    CASE WHEN kind IN ('redrive', 'discard') THEN 'dead_letters' WHEN kind = 'replay' THEN 'archive' ELSE 'intents' END,
    v_condition,
    CASE WHEN kind IN ('cancel', 'reschedule') THEN ' AND x.sending_at IS NULL' ELSE '' END
    || CASE WHEN kind = 'reschedule' THEN format(' AND x.send_after IS DISTINCT FROM %L::timestamptz', options ->> 'at')
            ELSE '' END);
END
$$;
--> statement-breakpoint
-- Raises one clear error for options that do not fit the kind of action.
CREATE FUNCTION "outbox".check_action_options(kind text, options jsonb) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_known text[] := CASE kind WHEN 'redrive' THEN '{rate,restamp}' WHEN 'replay' THEN '{rate,restamp}'
                              WHEN 'reschedule' THEN '{rate,at}' WHEN 'erase' THEN '{also}' ELSE '{rate}' END::text[];
  v_unknown text;
BEGIN
  IF options IS NULL OR jsonb_typeof(options) <> 'object' THEN
    RAISE EXCEPTION 'outbox: %: options must be a JSON object, got %', kind, coalesce(jsonb_typeof(options), 'NULL')
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  SELECT k INTO v_unknown FROM jsonb_object_keys(options) AS k WHERE k <> ALL (v_known) LIMIT 1;
  IF v_unknown IS NOT NULL THEN
    RAISE EXCEPTION 'outbox: %: unknown option %', kind, "outbox".quote_for_error(v_unknown)
      USING ERRCODE = 'invalid_parameter_value', HINT = array_to_string(v_known, ', ');
  END IF;
  IF options ? 'rate' AND (jsonb_typeof(options -> 'rate') = 'number' AND (options ->> 'rate')::numeric BETWEEN 1 AND 1000000) IS NOT TRUE THEN
    RAISE EXCEPTION 'outbox: %: rate must be 1 to 1000000 intents a second, got %', kind, "outbox".quote_for_error(options ->> 'rate')
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF options ? 'restamp' AND jsonb_typeof(options -> 'restamp') <> 'boolean' THEN
    RAISE EXCEPTION 'outbox: %: restamp must be true or false, got %', kind, "outbox".quote_for_error(options ->> 'restamp')
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF options ? 'also' AND (options ->> 'also') NOT IN ('destroy', 'suppress') THEN
    RAISE EXCEPTION 'outbox: erase: also must be destroy or suppress, got %', "outbox".quote_for_error(options ->> 'also')
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF kind = 'reschedule' THEN
    BEGIN
      IF ((options ->> 'at')::timestamptz BETWEEN timestamptz '1970-01-01 00:00:00+00' AND now() + interval '3653 days')
         IS NOT TRUE THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_datetime_format';
      END IF;
    EXCEPTION WHEN data_exception THEN
      RAISE EXCEPTION 'outbox: reschedule: at must be a time from 1970 to ten years ahead, got %',
        "outbox".quote_for_error(options ->> 'at') USING ERRCODE = 'invalid_parameter_value';
    END;
  END IF;
END
$$;
--> statement-breakpoint
-- What an action would touch. Changes nothing.
--
-- intents, people: how many. oldest, newest: when the first and the last of them were enqueued.
-- stale_identifies: identifies of people for whom a newer identify is queued or delivered. With the time of the first write,
-- Customer.io ignores them. With restamp they overwrite the newer one.
-- plan: names exactly this set. `apply` takes it, and refuses if the set has changed.
CREATE FUNCTION "outbox".preview(
  kind text, filter jsonb, options jsonb DEFAULT '{}',
  OUT intents bigint, OUT people bigint, OUT oldest timestamptz, OUT newest timestamptz, OUT stale_identifies bigint,
  OUT plan text
)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_matching text := "outbox".matching(kind, filter, options);
  v_set bigint;
BEGIN
  PERFORM "outbox".check_action_options(kind, options);
  EXECUTE format('SELECT count(*), count(DISTINCT m.ordering_key), min(m.enqueued_at), max(m.enqueued_at),
                         coalesce(bit_xor(hashtextextended(m.id::text, 0)), 0) FROM (%s) m', v_matching)
    INTO intents, people, oldest, newest, v_set;
  stale_identifies := 0;
  IF kind IN ('redrive', 'replay') AND intents > 0 THEN
    EXECUTE format('SELECT count(DISTINCT stale.id) FROM (
        SELECT m.id FROM (%1$s) m WHERE m.operation IN (''identify'', ''pipelines.identify'') AND EXISTS (
          SELECT FROM "outbox".delivered d WHERE d.ordering_key = m.ordering_key AND d.destination = m.destination
            AND d.operation = m.operation AND d.enqueued_at > m.enqueued_at)
        UNION ALL
        SELECT m.id FROM (%1$s) m WHERE m.operation IN (''identify'', ''pipelines.identify'') AND EXISTS (
          SELECT FROM "outbox".intents i WHERE i.ordering_key = m.ordering_key AND i.destination = m.destination
            AND i.operation = m.operation AND i.enqueued_at > m.enqueued_at)) stale', v_matching)
      INTO stale_identifies;
  END IF;
  plan := concat_ws('-', kind, intents,
    left(md5(concat_ws(' ', v_set, options, CASE kind WHEN 'erase' THEN filter END)), 12));
END
$$;
--> statement-breakpoint
-- Stores a bulk action, which a relay then carries out. Returns the id of the action.
--
-- plan: the plan of `preview` for the same kind, filter and options. Raises an error if the set has changed since.
-- reason: why, at most 500 characters. The action also records the database user and the time.
-- Takes effect with the caller's COMMIT. Without a running relay the action waits.
CREATE FUNCTION "outbox".apply(kind text, filter jsonb, plan text, reason text DEFAULT NULL, options jsonb DEFAULT '{}')
RETURNS uuid
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_now record;
  v_id uuid := "outbox".new_id();
BEGIN
  SELECT * INTO v_now FROM "outbox".preview(kind, filter, options);
  IF plan IS DISTINCT FROM v_now.plan THEN
    RAISE EXCEPTION 'outbox: %: plan % is not that of this filter: it matches % intents now, and its plan is %', kind,
      "outbox".quote_for_error(plan), v_now.intents, v_now.plan
      USING ERRCODE = 'object_not_in_prerequisite_state',
            HINT = 'The set has changed since the preview, or the filter or the options are others. Look at the preview again. If dead letters keep arriving, give until.';
  END IF;
  IF v_now.intents = 0 AND kind <> 'erase' THEN
    IF kind = 'replay' THEN
      RAISE EXCEPTION 'outbox: replay: the filter matches no intent whose payload is kept'
        USING ERRCODE = 'no_data_found',
              HINT = 'A relay keeps the payload of a delivered intent only if its workspace has deliveredPayloads "keep", and for deliveredPayloadDays.';
    END IF;
    RAISE EXCEPTION 'outbox: %: the filter matches no intent', kind USING ERRCODE = 'no_data_found';
  END IF;
  INSERT INTO "outbox".actions (action_id, kind, filter, options, plan, total, requested_by, reason, requested_at)
  VALUES (v_id, kind, filter, options, plan, v_now.intents, session_user,
          nullif(btrim(regexp_replace(left(reason, 500), '[[:space:][:cntrl:]]+', ' ', 'g')), ''), clock_timestamp());
  PERFORM "outbox".notify('outbox:wake', 'action');
  RETURN v_id;
END
$$;
--> statement-breakpoint
-- Ends an action after the chunk that runs. What it has done stays done. Returns whether this call ended it.
CREATE FUNCTION "outbox".cancel(action_id uuid) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  UPDATE "outbox".actions a SET state = 'cancelled', finished_at = clock_timestamp(), error = NULL
  WHERE a.action_id = cancel.action_id AND a.state IN ('queued', 'running');
  IF FOUND THEN
    RETURN true;
  END IF;
  PERFORM FROM "outbox".actions a WHERE a.action_id = cancel.action_id;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'outbox: there is no action %', coalesce(action_id::text, 'NULL')
      USING ERRCODE = 'no_data_found', HINT = 'The view action_status lists the actions.';
  END IF;
  RETURN false;
END
$$;
--> statement-breakpoint
-- The (seq, id) of the last row of a chunk, in the order in which the intents were enqueued. NULL if the chunk is the last one.
-- So the chunk is a range of an index: a list of ids made the planner read the whole table for each chunk.
CREATE FUNCTION "outbox".end_of_chunk(action "outbox".actions, source text, until text, max integer, OUT seq bigint, OUT id uuid)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  EXECUTE format('SELECT x.seq, x.id FROM "outbox".%I x WHERE (x.seq, x.id) > ($1, $2) AND %s <= $3 AND %s
                  ORDER BY x.seq, x.id OFFSET $4 - 1 LIMIT 1', source, until, "outbox".filter_condition(action.kind, action.filter))
  INTO seq, id
  USING coalesce((action.position ->> 'seq')::bigint, 0),
        coalesce((action.position ->> 'id')::uuid, '00000000-0000-0000-0000-000000000000'), action.requested_at, max;
END
$$;
--> statement-breakpoint
-- Asks the relays to put held intents of a lane back: a dead letter that held them is gone. Takes effect with COMMIT.
CREATE FUNCTION "outbox".release_lane(destination text, lane integer) RETURNS boolean
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
  INSERT INTO "outbox".lanes AS l (destination, lane, release_requests) VALUES (release_lane.destination, release_lane.lane, 1)
  ON CONFLICT ON CONSTRAINT lanes_pkey DO UPDATE SET release_requests = l.release_requests + 1;
  SELECT "outbox".wake_relays(release_lane.destination, release_lane.lane)
$$;
--> statement-breakpoint
-- A chunk of a redrive or a discard: the next dead letters in the order in which they were enqueued.
--
-- A dead letter that holds later intents of its key keeps its lane, its priority and its seq, so it is sent before them: it joins
-- the held intents, and a relay puts them back in order. If an earlier dead letter of the key still holds, it waits behind that.
--
-- A redriven intent keeps its id, so Customer.io takes it for the same event, and its time, unless restamp is given. It travels
-- as bulk: live intents do not wait behind it. An expiry that has passed is removed, because the operator wants it sent.
CREATE FUNCTION "outbox".run_dead_letters(action "outbox".actions, max integer, OUT done integer, OUT next jsonb)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_end record;
  v_destination text;
  v_released record;
  v_lanes jsonb;
  v_woken boolean;
BEGIN
  SELECT * INTO v_end FROM "outbox".end_of_chunk(action, 'dead_letters', 'x.dead_at', max);
  EXECUTE format($sql$
    WITH removed AS (
      DELETE FROM "outbox".dead_letters x
      WHERE (x.seq, x.id) > ($1, $2) AND (x.seq, x.id) <= ($3, $4) AND x.dead_at <= $5 AND %s
      RETURNING x.*
    ), queued AS (
      INSERT INTO "outbox".intents (destination, lane, id, format, operation, name, payload, ordering_key, priority,
                                    on_ambiguous, enqueued_at, send_after, expires_at)
      SELECT r.destination, "outbox".lane_of(r.destination, r.ordering_key, 'bulk'), r.id, r.format, r.operation, r.name,
             r.payload::json, r.ordering_key, 'bulk', r.on_ambiguous, CASE WHEN $6 THEN clock_timestamp() ELSE r.enqueued_at END,
             clock_timestamp(), CASE WHEN r.expires_at > clock_timestamp() THEN r.expires_at END
      FROM removed r WHERE $7 AND NOT r.holds ORDER BY r.seq, r.id
      RETURNING destination
    ), queued_first AS (
      INSERT INTO "outbox".intents (destination, lane, seq, id, format, operation, name, payload, ordering_key, priority,
                                    on_ambiguous, enqueued_at, send_after, expires_at)
      OVERRIDING SYSTEM VALUE
      SELECT r.destination, -2 - "outbox".lane_of(r.destination, r.ordering_key, r.priority), r.seq, r.id, r.format, r.operation,
             r.name, r.payload::json, r.ordering_key, r.priority, r.on_ambiguous,
             CASE WHEN $6 THEN clock_timestamp() ELSE r.enqueued_at END,
             clock_timestamp(), CASE WHEN r.expires_at > clock_timestamp() THEN r.expires_at END
      FROM removed r WHERE $7 AND r.holds
    ), recorded AS (
      INSERT INTO "outbox".history (id, at, event, action_id, detail)
      SELECT r.id, clock_timestamp(), CASE WHEN $7 THEN 'redriven' ELSE 'discarded' END, $8,
             concat_ws(' ', r.reason, r.status, r.field) -- no message: it may quote the payload, and erase would not find it here
      FROM removed r
    )
    SELECT (SELECT count(*) FROM removed), (SELECT min(destination) FROM queued),
           (SELECT jsonb_agg(DISTINCT jsonb_build_object('destination', r.destination,
                     'lane', "outbox".lane_of(r.destination, r.ordering_key, r.priority))) FROM removed r WHERE r.holds)
  $sql$, "outbox".filter_condition(action.kind, action.filter))
  INTO done, v_destination, v_lanes
  USING coalesce((action.position ->> 'seq')::bigint, 0),
        coalesce((action.position ->> 'id')::uuid, '00000000-0000-0000-0000-000000000000'),
        coalesce(v_end.seq, 9223372036854775807), coalesce(v_end.id, 'ffffffff-ffff-ffff-ffff-ffffffffffff'),
        action.requested_at, coalesce((action.options ->> 'restamp')::boolean, false), action.kind = 'redrive', action.action_id;
  next := CASE WHEN v_end.seq IS NOT NULL THEN jsonb_build_object('seq', v_end.seq, 'id', v_end.id) END;
  FOR v_released IN SELECT * FROM jsonb_to_recordset(coalesce(v_lanes, '[]')) AS r(destination text, lane integer)
                    ORDER BY r.destination, r.lane LOOP
    PERFORM "outbox".release_lane(v_released.destination, v_released.lane);
  END LOOP;
  v_woken := v_destination IS NOT NULL AND "outbox".wake_relays(v_destination, NULL);
END
$$;
--> statement-breakpoint
-- A chunk of a replay: the next archived intents in the order in which they were enqueued. They leave the archive, and enter it
-- again when they are delivered again. Ids, times and lanes as for a redrive.
CREATE FUNCTION "outbox".run_replay(action "outbox".actions, max integer, OUT done integer, OUT next jsonb)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_end record;
  v_destination text;
  v_woken boolean;
BEGIN
  SELECT * INTO v_end FROM "outbox".end_of_chunk(action, 'archive', 'x.delivered_at', max);
  EXECUTE format($sql$
    WITH removed AS (
      DELETE FROM "outbox".archive x
      WHERE (x.seq, x.id) > ($1, $2) AND (x.seq, x.id) <= ($3, $4) AND x.delivered_at <= $5 AND %s
      RETURNING x.*
    ), queued AS (
      INSERT INTO "outbox".intents (destination, lane, id, format, operation, name, payload, ordering_key, priority,
                                    on_ambiguous, enqueued_at, send_after)
      SELECT r.destination, "outbox".lane_of(r.destination, r.ordering_key, 'bulk'), r.id,
             CASE WHEN $6 AND r.format = 2 THEN 1 ELSE r.format END, r.operation, r.name,
             -- A wire text contains its time.
             CASE WHEN $6 AND r.format = 2 THEN "outbox".payload_of(r.format, r.operation, r.payload, r.enqueued_at)::json
                  ELSE r.payload END,
             r.ordering_key, 'bulk', r.on_ambiguous, CASE WHEN $6 THEN clock_timestamp() ELSE r.enqueued_at END,
             clock_timestamp()
      FROM removed r ORDER BY r.seq, r.id
      RETURNING destination
    ), recorded AS (
      INSERT INTO "outbox".history (id, at, event, action_id)
      SELECT r.id, clock_timestamp(), 'replayed', $7 FROM removed r
    )
    SELECT (SELECT count(*) FROM removed), (SELECT min(destination) FROM queued)
  $sql$, "outbox".filter_condition('replay', action.filter))
  INTO done, v_destination
  USING coalesce((action.position ->> 'seq')::bigint, 0),
        coalesce((action.position ->> 'id')::uuid, '00000000-0000-0000-0000-000000000000'),
        coalesce(v_end.seq, 9223372036854775807), coalesce(v_end.id, 'ffffffff-ffff-ffff-ffff-ffffffffffff'),
        action.requested_at, coalesce((action.options ->> 'restamp')::boolean, false), action.action_id;
  next := CASE WHEN v_end.seq IS NOT NULL THEN jsonb_build_object('seq', v_end.seq, 'id', v_end.id) END;
  v_woken := v_destination IS NOT NULL AND "outbox".wake_relays(v_destination, NULL);
END
$$;
--> statement-breakpoint
-- A chunk of a cancel or a reschedule: the next pending intents. An intent whose request may be in flight is left alone.
--
-- Scheduled intents move to their lanes when they fall due, past the position. So a pass that has found intents is followed by
-- another one, until a pass finds none.
CREATE FUNCTION "outbox".run_pending(action "outbox".actions, max integer, OUT done integer, OUT next jsonb)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_at timestamptz := (action.options ->> 'at')::timestamptz;
  v_chosen integer;
  v_destination text;
  v_woken boolean;
BEGIN
  EXECUTE format($sql$
    WITH chosen AS MATERIALIZED (
      SELECT x.ctid AS row_id, x.destination, x.lane, x.seq FROM "outbox".intents x
      WHERE (x.destination, x.lane, x.seq) > ($1, $2, $3) AND x.enqueued_at <= $4 AND x.sending_at IS NULL
        AND ($6 IS NULL OR x.send_after IS DISTINCT FROM $6) AND %s
      ORDER BY x.destination, x.lane, x.seq LIMIT $5
    ), removed AS (
      DELETE FROM "outbox".intents i WHERE i.ctid = ANY (ARRAY(SELECT row_id FROM chosen)) AND i.sending_at IS NULL RETURNING i.*
    ), queued AS (
      INSERT INTO "outbox".intents (destination, lane, id, format, operation, name, payload, ordering_key, priority,
                                    on_ambiguous, enqueued_at, send_after, expires_at)
      SELECT r.destination, CASE WHEN $6 > clock_timestamp() THEN -1 ELSE "outbox".lane_of(r.destination, r.ordering_key, r.priority) END,
             r.id, r.format, r.operation, r.name, r.payload, r.ordering_key, r.priority, r.on_ambiguous, r.enqueued_at, $6,
             r.expires_at
      FROM removed r WHERE $6 IS NOT NULL ORDER BY r.seq
      RETURNING destination, lane
    ), recorded AS (
      INSERT INTO "outbox".history (id, at, event, action_id, detail)
      SELECT r.id, clock_timestamp(), CASE WHEN $6 IS NULL THEN 'cancelled' ELSE 'rescheduled' END, $7,
             CASE WHEN $6 IS NOT NULL THEN concat_ws(' ', 'to', $6) END
      FROM removed r
    ), last AS (
      SELECT c.destination, c.lane, c.seq FROM chosen c ORDER BY c.destination DESC, c.lane DESC, c.seq DESC LIMIT 1
    )
    SELECT (SELECT count(*) FROM removed), (SELECT count(*) FROM chosen), (SELECT min(destination) FROM queued WHERE lane >= 0),
           (SELECT jsonb_build_object('destination', l.destination, 'lane', l.lane, 'seq', l.seq) FROM last l)
  $sql$, "outbox".filter_condition(action.kind, action.filter))
  INTO done, v_chosen, v_destination, next
  USING coalesce(action.position ->> 'destination', ''), coalesce((action.position ->> 'lane')::smallint, -34),
        coalesce((action.position ->> 'seq')::bigint, 0), action.requested_at, max, v_at, action.action_id;
  next := CASE WHEN v_chosen >= max THEN next || jsonb_build_object('found', coalesce((action.position ->> 'found')::bigint, 0) + done)
               WHEN coalesce((action.position ->> 'found')::bigint, 0) + done > 0 THEN '{}' END;
  v_woken := v_destination IS NOT NULL AND "outbox".wake_relays(v_destination, NULL);
END
$$;
--> statement-breakpoint
-- Erases a person from every table, in one chunk. With the option also, it enqueues a destroy or suppress for each identifier, which
-- reaches Customer.io after whatever is under way for that identifier.
--
-- Returns how many intents it has erased, and the receipt: the deleted rows by table, and the ids of what it has enqueued.
-- Customer.io may still receive a request that was in flight, before the destroy.
CREATE FUNCTION "outbox".run_erase(action "outbox".actions, OUT done integer, OUT receipt jsonb)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
DECLARE
  v_conditions record;
  v_persons text[] := "outbox".filter_values(action.filter, 'person');
  v_also text := action.options ->> 'also';
  v_table text;
  v_ids uuid[];
  v_all uuid[] := '{}';
  v_count bigint;
  v_enqueued uuid[];
BEGIN
  SELECT * INTO v_conditions FROM "outbox".erase_conditions(action.filter);
  receipt := '{}';
  FOREACH v_table IN ARRAY '{intents,dead_letters,delivered,archive}'::text[] LOOP
    EXECUTE format('WITH erased AS (DELETE FROM "outbox".%I x WHERE %s RETURNING x.id) SELECT coalesce(array_agg(id), ''{}'') FROM erased',
                   v_table, CASE v_table WHEN 'delivered' THEN v_conditions.by_key ELSE v_conditions.in_payload END)
      INTO v_ids;
    receipt := receipt || jsonb_build_object(v_table, cardinality(v_ids));
    v_all := v_all || v_ids;
  END LOOP;
  -- The erased dead letters may have held intents that another person shares the key of.
  PERFORM "outbox".release_lane(l.destination, l.lane) FROM "outbox".lanes l
  WHERE l.lane >= 0 AND "outbox".is_releasable(l.destination, l.lane) ORDER BY l.destination, l.lane;
  v_all := ARRAY(SELECT DISTINCT i FROM unnest(v_all) AS i);
  done := cardinality(v_all);
  DELETE FROM "outbox".dedup d WHERE d.intent_id = ANY (v_all);
  GET DIAGNOSTICS v_count = ROW_COUNT;
  receipt := receipt || jsonb_build_object('dedup', v_count);
  -- An edit keeps the former payload, also after its dead letter is gone or names another person.
  DELETE FROM "outbox".history h
  WHERE h.id = ANY (v_all) OR h.payload IS NOT NULL AND "outbox".people_of(h.payload) && "outbox".keys_of(v_persons);
  GET DIAGNOSTICS v_count = ROW_COUNT;
  receipt := receipt || jsonb_build_object('history', v_count);
  IF v_also IS NOT NULL THEN
    SELECT array_agg(e.id ORDER BY p.ord) INTO v_enqueued
    FROM unnest(v_persons) WITH ORDINALITY AS p(person, ord), LATERAL "outbox".identifier_of(p.person) AS i,
      unnest(coalesce("outbox".filter_values(action.filter, 'workspace'), '{default}')) AS w(name),
      LATERAL "outbox".enqueue(v_also,
        CASE i.kind WHEN 'id' THEN jsonb_build_object('customerId', i.value)
                    ELSE jsonb_build_object('identifiers', jsonb_build_object(i.kind, i.value)) END,
        workspace => w.name, plan_checked => true) AS e;
    receipt := receipt || jsonb_build_object('enqueued', to_jsonb(v_enqueued));
  END IF;
END
$$;
--> statement-breakpoint
-- Replaces the persons in the filters of actions by their hashes: a receipt must not name who was erased.
CREATE FUNCTION "outbox".hash_persons(persons text[]) RETURNS void
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
  UPDATE "outbox".actions a
  SET filter = jsonb_set(a.filter, '{person}', (
    SELECT jsonb_agg('sha256:' || encode(sha256(convert_to(p, 'UTF8')), 'hex'))
    FROM unnest("outbox".filter_values(a.filter, 'person')) AS p))
  WHERE a.filter ? 'person' AND "outbox".keys_of("outbox".filter_values(a.filter, 'person')) && "outbox".keys_of(persons)
    AND a.state NOT IN ('queued', 'running')
$$;
--> statement-breakpoint
-- Does one chunk of an action: at most `max` intents, and at most those of one second if it has a rate. One relay at a time, because the action's row stays locked until COMMIT.
--
-- Returns the action's state after the chunk, NULL if another session runs it. rate: intents a second, NULL without a limit.
CREATE FUNCTION "outbox".run_action(
  action_id uuid, max integer, OUT kind text, OUT state text, OUT done integer, OUT processed bigint, OUT total bigint,
  OUT rate numeric
)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_action "outbox".actions;
  v_next jsonb;
  v_receipt jsonb := '{}';
BEGIN
  SELECT a.* INTO v_action FROM "outbox".actions a
  WHERE a.action_id = run_action.action_id AND a.kind <> 'backfill' FOR UPDATE SKIP LOCKED;
  IF v_action.action_id IS NULL THEN
    RETURN;
  END IF;
  kind := v_action.kind;
  state := v_action.state;
  done := 0;
  processed := v_action.processed;
  total := v_action.total;
  rate := (v_action.options ->> 'rate')::numeric;
  IF state NOT IN ('queued', 'running') THEN
    RETURN;
  END IF;
  max := least(max, ceil(rate)::integer);
  IF kind IN ('redrive', 'discard') THEN
    SELECT r.done, r.next INTO done, v_next FROM "outbox".run_dead_letters(v_action, max) r;
  ELSIF kind = 'replay' THEN
    SELECT r.done, r.next INTO done, v_next FROM "outbox".run_replay(v_action, max) r;
  ELSIF kind = 'erase' THEN
    SELECT r.done, r.receipt INTO done, v_receipt FROM "outbox".run_erase(v_action) r;
  ELSE
    SELECT r.done, r.next INTO done, v_next FROM "outbox".run_pending(v_action, max) r;
  END IF;
  state := CASE WHEN v_next IS NULL THEN 'done' ELSE 'running' END;
  processed := processed + done;
  UPDATE "outbox".actions a
  SET state = run_action.state, processed = run_action.processed, position = coalesce(v_next, '{}'), result = a.result || v_receipt,
      error = NULL, started_at = coalesce(a.started_at, clock_timestamp()),
      finished_at = CASE WHEN v_next IS NULL THEN clock_timestamp() END
  WHERE a.action_id = v_action.action_id;
  IF kind = 'erase' THEN
    PERFORM "outbox".hash_persons("outbox".filter_values(v_action.filter, 'person'));
  END IF;
END
$$;
--> statement-breakpoint
-- Records that a chunk of an action failed. With give_up the action ends; otherwise the next run tries the chunk again.
CREATE FUNCTION "outbox".fail_action(action_id uuid, error text, give_up boolean) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  UPDATE "outbox".actions a
  SET state = CASE WHEN give_up THEN 'failed' ELSE 'running' END, error = left(fail_action.error, 500),
      started_at = coalesce(a.started_at, clock_timestamp()), finished_at = CASE WHEN give_up THEN clock_timestamp() END
  WHERE a.action_id = fail_action.action_id AND a.state IN ('queued', 'running')
$$;
--> statement-breakpoint
-- Starts a backfill: the command reads the source, and this action says how far it is. Returns the action's id.
-- source: {"sql", "as", "key"} and what else the command needs to continue.
CREATE FUNCTION "outbox".start_backfill(source jsonb, total bigint, reason text DEFAULT NULL) RETURNS uuid
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  INSERT INTO "outbox".actions (action_id, kind, filter, options, plan, state, total, requested_by, reason, requested_at, started_at)
  VALUES ("outbox".new_id(), 'backfill', source, '{}', 'backfill', 'running', total, session_user,
          nullif(btrim(regexp_replace(left(reason, 500), '[[:space:][:cntrl:]]+', ' ', 'g')), ''), clock_timestamp(),
          clock_timestamp())
  RETURNING action_id
$$;
--> statement-breakpoint
-- Enqueues a chunk of a backfill, and records its last key in the same transaction. So a chunk is stored once, however often the
-- command is killed. Returns the action's state: the caller stops unless it is 'running'.
--
-- intents: as for enqueue_many. after: the last key of the chunk before, as the caller knows it. upto: the last key of this chunk.
-- Raises an error if another process has continued the backfill meanwhile.
CREATE FUNCTION "outbox".advance_backfill(
  action_id uuid, intents jsonb, after jsonb, upto jsonb, is_last boolean, skipped bigint DEFAULT 0
) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_action "outbox".actions;
BEGIN
  SELECT a.* INTO v_action FROM "outbox".actions a
  WHERE a.action_id = advance_backfill.action_id AND a.kind = 'backfill' FOR UPDATE;
  IF v_action.action_id IS NULL THEN
    RAISE EXCEPTION 'outbox: there is no backfill %', coalesce(action_id::text, 'NULL') USING ERRCODE = 'no_data_found';
  END IF;
  IF v_action.state <> 'running' THEN
    RETURN v_action.state;
  END IF;
  IF v_action.position -> 'key' IS DISTINCT FROM after THEN
    RAISE EXCEPTION 'outbox: another process continues backfill %', action_id
      USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Follow it with customerio-outbox actions.';
  END IF;
  PERFORM FROM "outbox".enqueue_many(intents);
  UPDATE "outbox".actions a
  SET position = jsonb_build_object('key', upto), processed = a.processed + jsonb_array_length(intents),
      result = jsonb_build_object('skipped', coalesce((a.result ->> 'skipped')::bigint, 0) + skipped),
      state = CASE WHEN is_last THEN 'done' ELSE 'running' END,
      finished_at = CASE WHEN is_last THEN clock_timestamp() END
  WHERE a.action_id = v_action.action_id;
  RETURN CASE WHEN is_last THEN 'done' ELSE 'running' END;
END
$$;
--> statement-breakpoint
-- Actions with their progress, without the filters, which may name people. waiting: why a queued action does not run.
CREATE VIEW "outbox".action_status AS
SELECT a.action_id, a.kind, a.state, a.total, a.processed, a.requested_by, a.reason, a.requested_at, a.finished_at, a.error,
       CASE WHEN a.state IN ('queued', 'running') AND a.kind <> 'backfill' AND NOT EXISTS (
              SELECT FROM "outbox".relays r WHERE r.last_seen_at > now() - interval '30 seconds')
            THEN 'no relay is running' END AS waiting,
       a.started_at, a.result
FROM "outbox".actions a;
--> statement-breakpoint
-- Dead letters that match a filter, the newest first, one page at a time. after_at and after_id: dead_at and id of the last row of
-- the page before.
CREATE FUNCTION "outbox".list_dead_letters(
  filter jsonb DEFAULT '{}', after_at timestamptz DEFAULT NULL, after_id uuid DEFAULT NULL, max integer DEFAULT 50
) RETURNS SETOF "outbox".dead_letters
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF (max BETWEEN 1 AND 10000) IS NOT TRUE THEN
    RAISE EXCEPTION 'outbox: max must be 1 to 10000, got %', coalesce(max::text, 'NULL')
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  RETURN QUERY EXECUTE format(
    'SELECT x.* FROM "outbox".dead_letters x WHERE %s%s ORDER BY x.dead_at DESC, x.id DESC LIMIT $3',
    "outbox".filter_condition('list', filter),
    CASE WHEN after_at IS NOT NULL THEN ' AND x.dead_at <= $1 AND (x.dead_at, x.id) < ($1, $2)' ELSE '' END)
    USING after_at, coalesce(after_id, '00000000-0000-0000-0000-000000000000'), max;
END
$$;
--> statement-breakpoint
-- Encrypted payloads by key and table, so that an operator knows when a key can be removed. It reads at most `max` rows of each
-- table. If a table has more, complete is false: keys may be missing, and counts may be too low. newest: when the newest of the
-- intents was enqueued, or the edit of `history` was made.
CREATE FUNCTION "outbox".encryption_keys_in_use(max bigint DEFAULT 1000000)
RETURNS TABLE (table_name text, key text, count bigint, newest timestamptz, complete boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  WITH read AS (
    (SELECT 'intents' AS t, i.format, i.payload, i.enqueued_at AS at FROM "outbox".intents i LIMIT max + 1)
    UNION ALL
    (SELECT 'dead_letters', d.format, d.payload::json, d.enqueued_at FROM "outbox".dead_letters d LIMIT max + 1)
    UNION ALL
    (SELECT 'archive', a.format, a.payload, a.enqueued_at FROM "outbox".archive a LIMIT max + 1)
    UNION ALL
    (SELECT 'history', CASE WHEN h.payload ?& '{v,iv,key,data}' THEN 3 END, h.payload::json, h.at
     FROM "outbox".history h WHERE h.payload IS NOT NULL LIMIT max + 1)
  ), of_table AS (
    SELECT r.t, count(*) <= max AS complete FROM read r GROUP BY r.t
  )
  SELECT o.t, k.key, coalesce(k.count, 0), k.newest, o.complete
  FROM of_table o LEFT JOIN (
    SELECT r.t, r.payload ->> 'key' AS key, count(*) AS count, max(r.at) AS newest FROM read r WHERE r.format = 3 GROUP BY 1, 2
  ) k ON k.t = o.t
  WHERE k.key IS NOT NULL OR NOT o.complete
  ORDER BY o.t, k.newest DESC
$$;
--> statement-breakpoint
-- The text of an envelope that was stored as jsonb, as enqueue_encrypted takes it. NULL if it has other fields.
CREATE FUNCTION "outbox".envelope_of(payload jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
  SELECT CASE jsonb_typeof(payload) WHEN 'object' THEN
    CASE WHEN payload - '{v,key,iv,data}'::text[] = '{}' THEN
      format('{"v":%s,"key":%s,"iv":%s,"data":%s}', payload -> 'v', payload -> 'key', payload -> 'iv', payload -> 'data') END END
$$;
--> statement-breakpoint
-- Replaces the payload of a dead letter, after the checks of `enqueue`. The old payload stays in `history`.
-- The ordering key follows the payload, unless the app gave another key. With another key it holds no later intents.
-- COMMIT makes it durable.
--
-- The payload of an encrypted dead letter is an envelope, for the same ordering key: `customerio-outbox dead edit` has the keys.
CREATE FUNCTION "outbox".edit_dead_letter(id uuid, payload jsonb, reason text DEFAULT NULL) RETURNS "outbox".dead_letters
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_letter "outbox".dead_letters;
  v_key text;
BEGIN
  SELECT d.* INTO v_letter FROM "outbox".dead_letters d WHERE d.id = edit_dead_letter.id FOR UPDATE;
  IF v_letter.id IS NULL THEN
    RAISE EXCEPTION 'outbox: there is no dead letter %', coalesce(edit_dead_letter.id::text, 'NULL')
      USING ERRCODE = 'no_data_found', HINT = 'It may have been redriven or discarded: find shows what happened to it.';
  END IF;
  IF v_letter.format NOT IN (1, 3) THEN
    RAISE EXCEPTION 'outbox: the payload of dead letter % has row format %, which cannot be edited here', v_letter.id, v_letter.format
      USING ERRCODE = 'feature_not_supported', HINT = 'Use customerio-outbox dead edit.';
  END IF;
  IF v_letter.format = 3 AND "outbox".is_envelope(v_letter.operation, "outbox".envelope_of(payload)) IS NOT TRUE THEN
    RAISE EXCEPTION 'outbox: the payload of dead letter % is encrypted, and the given payload is no envelope', v_letter.id
      USING ERRCODE = 'invalid_parameter_value', HINT = 'Use customerio-outbox dead edit, with OUTBOX_ENCRYPTION_KEYS.';
  END IF;
  v_key := CASE WHEN v_letter.format = 3 OR v_letter.ordering_key IS DISTINCT FROM "outbox".ordering_key_of(v_letter.operation, v_letter.payload)
                THEN v_letter.ordering_key END;
  v_key := "outbox".check_intent(v_letter.operation, CASE v_letter.format WHEN 3 THEN '{}' ELSE payload END, NULL, '7 days', v_key, NULL, NULL,
                                 split_part(v_letter.destination, '/', 1), 'park', 'normal', clock_timestamp(), false);
  INSERT INTO "outbox".history (id, at, event, by_user, detail, payload)
  VALUES (v_letter.id, clock_timestamp(), 'edited', session_user,
          nullif(btrim(regexp_replace(left(reason, 500), '[[:space:][:cntrl:]]+', ' ', 'g')), ''), v_letter.payload);
  UPDATE "outbox".dead_letters d
  SET payload = edit_dead_letter.payload, ordering_key = v_key, holds = d.holds AND d.ordering_key = v_key,
      name = CASE d.format WHEN 3 THEN d.name ELSE "outbox".name_of(d.operation, edit_dead_letter.payload) END
  WHERE d.id = v_letter.id;
  IF v_letter.holds AND v_letter.ordering_key <> v_key THEN
    PERFORM "outbox".release_lane(v_letter.destination,
                                  "outbox".lane_of(v_letter.destination, v_letter.ordering_key, v_letter.priority));
  END IF;
  SELECT d.* INTO v_letter FROM "outbox".dead_letters d WHERE d.id = v_letter.id;
  RETURN v_letter;
END
$$;
--> statement-breakpoint
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA "outbox" FROM PUBLIC;
