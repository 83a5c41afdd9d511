-- The rules for one intent: its API, its ordering key, its lane, and what enqueue refuses.
--
-- Every object is written as "outbox".name, and the channel as 'outbox:wake'. The migrator replaces both with the
-- configured schema's name.

-- UUIDv7 for PostgreSQL 14 to 18 (uuidv7() exists since 18): 48 bits of Unix milliseconds, then random bits.
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
-- The UUID whose first 24 characters are `head` and whose last 48 bits are those of first + n.
CREATE FUNCTION "outbox".id_after(head text, first bigint, n bigint) RETURNS uuid
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT (head || right('00000000000' || to_hex((first + n) & 281474976710655), 12))::uuid
$$;
--> statement-breakpoint
-- The API of Customer.io that takes an operation. NULL for an unknown operation.
CREATE FUNCTION "outbox".api_of(operation text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE
    WHEN operation IN ('identify', 'track', 'trackAnonymous', 'trackPageView', 'trackScreen', 'trackPush',
                       'addDevice', 'deleteDevice', 'suppress', 'unsuppress', 'destroy', 'mergeCustomers',
                       'entity') THEN 'track'
    WHEN operation IN ('sendEmail', 'sendPush', 'sendSMS', 'sendInboxMessage', 'sendInApp') THEN 'app'
    WHEN operation = 'triggerBroadcast' THEN 'broadcast'
    WHEN operation IN ('pipelines.identify', 'pipelines.track', 'pipelines.page', 'pipelines.screen',
                       'pipelines.group', 'pipelines.alias') THEN 'pipelines'
  END
$$;
--> statement-breakpoint
-- A caller's text for an error message: quoted, cut to 80 characters, without control characters.
CREATE FUNCTION "outbox".quote_for_error(value text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
  SELECT coalesce(quote_literal(regexp_replace(left(value, 80), '[[:cntrl:]]', '?', 'g')), 'NULL')
$$;
--> statement-breakpoint
-- The person, object, delivery or broadcast of an intent. Intents with the same key are delivered in order.
-- customerId 42, customerId "42" and identifiers {"id": 42} are one key. The case of an email does not matter.
-- Ids are used as they are written, so check_intent first turns 42.0 into 42, with normalize_ids.
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
    -- An anonymous invite has no id: its key is the recipient's address.
    WHEN operation = 'trackAnonymous' THEN
      coalesce(nullif(payload ->> 'anonymousId', ''), lower(payload #>> '{data,recipient}'))
    WHEN operation = 'trackPush' THEN
      payload ->> 'deliveryId'
    WHEN operation IN ('sendEmail', 'sendPush', 'sendSMS', 'sendInboxMessage', 'sendInApp') THEN
      coalesce(
        payload #>> '{message,identifiers,id}', lower(payload #>> '{message,identifiers,email}'),
        payload #>> '{message,identifiers,cio_id}', lower(payload #>> '{message,to}'))
    WHEN operation = 'triggerBroadcast' THEN
      'broadcast/' || (payload ->> 'broadcastId')
    WHEN operation LIKE 'pipelines.%' THEN
      coalesce(payload #>> '{message,userId}', payload #>> '{message,anonymousId}')
    ELSE
      coalesce(
        payload ->> 'customerId',
        payload #>> '{identifiers,id}', lower(payload #>> '{identifiers,email}'),
        payload #>> '{identifiers,phone}', payload #>> '{identifiers,cio_id}')
  END
$$;
--> statement-breakpoint
-- What an intent sends, for filters and `find`: the name of an event or screen, the path of a page, the template of a message,
-- the id of a broadcast. NULL for other operations. A wire text has the same name as an argument.
CREATE FUNCTION "outbox".name_of(operation text, payload jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT left(CASE
    WHEN operation IN ('track', 'trackAnonymous', 'trackScreen') THEN payload ->> 'name'
    WHEN operation = 'trackPageView' THEN payload ->> 'path'
    WHEN operation = 'entity' THEN payload #>> '{entity,name}'
    WHEN operation = 'pipelines.track' THEN payload #>> '{message,event}'
    WHEN operation LIKE 'pipelines.%' THEN payload #>> '{message,name}'
    WHEN operation LIKE 'send%' THEN payload #>> '{message,transactional_message_id}'
    WHEN operation = 'triggerBroadcast' THEN payload ->> 'broadcastId'
  END, 500)
$$;
--> statement-breakpoint
-- The payload with its ids in the form in which they are sent: JSON.parse reads 42.0 as 42. An id that is neither a
-- string nor a number is removed: it identifies nothing. Used for the ordering key only. The stored payload is unchanged.
CREATE FUNCTION "outbox".normalize_ids(payload jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_field text;
  v_path text[];
  v_id jsonb;
BEGIN
  FOREACH v_field IN ARRAY '{customerId,identifiers.id,primary.id,entity.identifiers.id,entity.primary.id,
                             message.identifiers.id,message.userId,broadcastId}'::text[] LOOP
    v_path := string_to_array(v_field, '.');
    v_id := payload #> v_path;
    IF jsonb_typeof(v_id) = 'number' THEN
      payload := jsonb_set(payload, v_path, to_jsonb(trim_scale(v_id::numeric)));
    ELSIF jsonb_typeof(v_id) <> 'string' THEN
      payload := payload #- v_path;
    END IF;
  END LOOP;
  RETURN payload;
END
$$;
--> statement-breakpoint
-- The first number of a payload that changes when JavaScript reads it, or NULL. 9007199254740993 would be sent as
-- 9007199254740992, and 1e400 could not be sent.
--
-- JavaScript writes a number as the shortest text of its double. Postgres does so too while extra_float_digits is above
-- 0, so the function sets it. JavaScript's text may be shorter: an integer halfway between two doubles is written as the
-- number itself, which Postgres never does. So a number with fewer digits than Postgres' text counts as unchanged. Numbers
-- deeper than 34 levels are not checked: a relay refuses payloads with more than 32 levels.
CREATE FUNCTION "outbox".altered_number(payload jsonb) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp SET extra_float_digits = 1 AS $$
  SELECT n
  FROM jsonb_path_query(payload, 'strict $.**{0 to 34} ? (@.type() == "number")') AS v,
    LATERAL (SELECT v::numeric AS n) AS number,
    LATERAL (SELECT CASE WHEN abs(n) BETWEEN 4.9e-324 AND 1.7976931348623157e308 THEN (n::float8)::text::numeric END AS short) AS t
  WHERE CASE WHEN n = 0 THEN false
             WHEN abs(n) BETWEEN 4.9e-324 AND 1.7976931348623157e308 THEN n <> t.short
               AND length(trim('0' FROM translate(n::text, '-.', ''))) >= length(trim('0' FROM translate(t.short::text, '-.', '')))
             ELSE true END
  LIMIT 1
$$;
--> statement-breakpoint
-- The wire text of an operation: what Customer.io takes as a member of a batch of the Track API v2, as JSON text. NULL if
-- an argument that the operation needs is NULL.
--
-- The id of an event is a placeholder. The relay replaces it with the row's id as a ULID, at the same place in every text,
-- so no caller can choose it. Every part is a complete JSON value, so no text can hold a second operation.
--
-- attributes: a JSON object as text, already checked. at: Unix seconds.
--
-- STABLE, because to_json is. The planner does not inline an IMMUTABLE function that calls a STABLE one, and PostgreSQL 14
-- would plan it again in each call.
CREATE FUNCTION "outbox".wire_of(
  operation text, person_kind text, person text, name text, attributes text, at bigint
) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT CASE operation WHEN 'identify' THEN '{' ELSE '{"id":"00000000000000000000000000",' END
    || '"timestamp":' || at || ',"type":"person","action":"'
    || CASE operation WHEN 'identify' THEN 'identify' WHEN 'track' THEN 'event'
                      WHEN 'trackPageView' THEN 'page' WHEN 'trackScreen' THEN 'screen' END
    || '","identifiers":{"' || person_kind || '":' || to_json(person)::text || '}'
    || CASE operation WHEN 'identify' THEN '' ELSE ',"name":' || to_json(name)::text END
    || coalesce(',"attributes":' || attributes, '') || '}'
$$;
--> statement-breakpoint
-- Whether wire_of can make a text of these arguments. NULL if one that is needed is NULL.
--
-- The TypeScript client has checked more than this. What Customer.io refuses for another reason becomes a dead letter.
-- The attributes are read as jsonb, because payload_of reads them so later: jsonb refuses the character NUL, and numbers that
-- no numeric holds.
CREATE FUNCTION "outbox".is_wire(
  operation text, person_kind text, person text, name text, attributes text, at bigint
) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT person_kind IN ('id', 'email', 'phone', 'cio_id') AND octet_length(person) <= 150 AND btrim(person) <> ''
    AND CASE WHEN operation IN ('track', 'trackPageView', 'trackScreen')
               THEN octet_length(name) <= 100 AND btrim(name) <> ''
             ELSE operation = 'identify' AND name IS NULL END
    AND (at IS NULL OR at BETWEEN 0 AND 9999999999)
    AND (attributes IS NULL OR octet_length(attributes) <= 32000 AND jsonb_typeof(attributes::jsonb) = 'object')
$$;
--> statement-breakpoint
-- The ordering key of a wire text. ordering_key_of has the same rule.
CREATE FUNCTION "outbox".wire_key(person_kind text, person text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE person_kind WHEN 'email' THEN lower(person) ELSE person END
$$;
--> statement-breakpoint
-- The payload of an intent, as outbox.enqueue takes it: that of a row in format 1 as it is, that of a wire text rebuilt. The
-- timestamp that the database gave to a wire text is left out.
--
-- It never fails, because a dead letter could then not be settled, and its lane would stop. An owner of the schema may have
-- changed the row, and a payload that is nested as deep as enqueue could just read is too deep here. Then it returns the
-- first 10,000 characters as the field "unreadable".
CREATE FUNCTION "outbox".payload_of(format smallint, operation text, payload json, enqueued_at timestamptz) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_wire jsonb;
BEGIN
  v_wire := payload::jsonb;
  IF format <> 2 THEN
    RETURN v_wire;
  END IF;
  RETURN CASE WHEN v_wire -> 'identifiers' ? 'id' THEN jsonb_build_object('customerId', v_wire #> '{identifiers,id}')
              ELSE jsonb_build_object('identifiers', v_wire -> 'identifiers') END
    || CASE WHEN v_wire ? 'name'
            THEN jsonb_build_object(CASE operation WHEN 'trackPageView' THEN 'path' ELSE 'name' END, v_wire -> 'name')
            ELSE '{}' END
    || CASE WHEN v_wire ? 'attributes'
            THEN jsonb_build_object(CASE operation WHEN 'identify' THEN 'attributes' ELSE 'data' END, v_wire -> 'attributes')
            ELSE '{}' END
    || CASE WHEN v_wire ->> 'timestamp' = floor(extract(epoch FROM enqueued_at))::text OR NOT v_wire ? 'timestamp' THEN '{}'
            ELSE jsonb_build_object('timestamp', v_wire -> 'timestamp') END;
EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
  RETURN jsonb_build_object('unreadable', left(payload::text, 10000));
END
$$;
--> statement-breakpoint
-- Whether a text is the envelope of a payload that was encrypted for an operation. The database has no key: it checks the form
-- and the size. src/encryption/envelope.ts writes it.
--
-- Base64 adds a third, and Customer.io's limits are those of check_intent.
CREATE FUNCTION "outbox".is_envelope(operation text, envelope text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT octet_length(envelope) <= CASE WHEN "outbox".api_of(operation) IN ('app', 'broadcast') THEN 4010000 ELSE 44000 END
    AND envelope ~ '^\{"v":1,"key":"[A-Za-z0-9+/=_.:-]+","iv":"[A-Za-z0-9+/]{16}","data":"[A-Za-z0-9+/]{22,}={0,2}"\}$'
    AND length(split_part(envelope, '"', 6)) <= 400 -- the key's id
$$;
--> statement-breakpoint
-- 16 lanes for normal intents, 16 more for bulk intents. The numbers are part of the row format: a stored row keeps its
-- lane. src/store/lanes/lane.ts has the same numbers.
CREATE FUNCTION "outbox".lane_of(destination text, ordering_key text, priority text) RETURNS smallint
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT ((hashtextextended(destination || '/' || ordering_key, 0) & 15)
          + CASE priority WHEN 'bulk' THEN 16 ELSE 0 END)::smallint
$$;
--> statement-breakpoint
-- The dead letters that hold later intents of their key, by lane.
CREATE INDEX dead_letters_holding ON "outbox".dead_letters (destination, "outbox".lane_of(destination, ordering_key, priority), ordering_key, seq)
WHERE holds;
--> statement-breakpoint
-- The first held intent of each key of a lane: the cost grows with the number of keys, not of intents.
-- Held intents wait in a lane of their own, -2 - lane.
CREATE FUNCTION "outbox".held_heads(destination text, lane integer) RETURNS TABLE (ordering_key text, seq bigint)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  WITH RECURSIVE head AS (
    (SELECT i.ordering_key, i.seq FROM "outbox".intents i
     WHERE i.destination = held_heads.destination AND i.lane = -2 - held_heads.lane AND i.lane < -1
     ORDER BY i.ordering_key, i.seq LIMIT 1)
    UNION ALL
    SELECT n.ordering_key, n.seq FROM head h,
      LATERAL (SELECT i.ordering_key, i.seq FROM "outbox".intents i
               WHERE i.destination = held_heads.destination AND i.lane = -2 - held_heads.lane AND i.lane < -1
                 AND i.ordering_key > h.ordering_key
               ORDER BY i.ordering_key, i.seq LIMIT 1) n
  )
  SELECT h.ordering_key, h.seq FROM head h
$$;
--> statement-breakpoint
-- The first dead letter of a key that holds later intents of the key in this lane. No row: there is none.
CREATE FUNCTION "outbox".holding_letter(destination text, lane integer, ordering_key text, OUT id uuid, OUT seq bigint)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT d.id, d.seq FROM "outbox".dead_letters d
  WHERE d.holds AND d.destination = holding_letter.destination
    AND "outbox".lane_of(d.destination, d.ordering_key, d.priority) = holding_letter.lane
    AND d.ordering_key = holding_letter.ordering_key
  ORDER BY d.seq LIMIT 1
$$;
--> statement-breakpoint
-- Whether a lane has held intents whose dead letter is gone.
CREATE FUNCTION "outbox".is_releasable(destination text, lane integer) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT EXISTS (SELECT FROM "outbox".held_heads(is_releasable.destination, is_releasable.lane) h
                 WHERE (("outbox".holding_letter(is_releasable.destination, is_releasable.lane, h.ordering_key)).seq < h.seq) IS NOT TRUE)
$$;
--> statement-breakpoint
-- Raises an error for an event that the tracking plan refuses, and returns the payload. The plan is the table event_plan.
--
-- Without strict, a name that the plan does not have is reported with a WARNING. A field that is null counts as given.
--
-- No message has the name of the event: it may have been made from data. src/intent/plan/event-of.ts has the same mapping.
CREATE FUNCTION "outbox".check_event(operation text, payload jsonb, strict boolean) RETURNS jsonb
LANGUAGE plpgsql STABLE AS $$
DECLARE
  v_within text := CASE operation WHEN 'pipelines.track' THEN 'message' WHEN 'entity' THEN 'entity' END;
  v_event jsonb := CASE WHEN v_within IS NULL THEN payload ELSE payload -> v_within END;
  v_name_field text := CASE operation WHEN 'pipelines.track' THEN 'event' ELSE 'name' END;
  v_data_field text := CASE operation WHEN 'pipelines.track' THEN 'properties' WHEN 'entity' THEN 'attributes' ELSE 'data' END;
  v_data jsonb := coalesce(v_event -> v_data_field, '{}');
  v_required text[];
  v_missing text;
BEGIN
  IF (operation IN ('track', 'trackAnonymous', 'pipelines.track', 'entity') AND jsonb_typeof(payload) = 'object') IS NOT TRUE
     OR operation = 'entity' AND (v_event ->> 'type', v_event ->> 'action') IS DISTINCT FROM ('person', 'event') THEN
    RETURN payload;
  END IF;
  SELECT p.required INTO v_required FROM "outbox".event_plan p WHERE p.name = v_event ->> v_name_field;
  IF NOT FOUND THEN
    IF strict THEN
      RAISE EXCEPTION 'outbox: %: % is not in the tracking plan', operation, concat_ws('.', v_within, v_name_field)
        USING ERRCODE = 'invalid_parameter_value',
              HINT = 'Correct the name, or add it to the plan and run customerio-outbox migrate --events.';
    END IF;
    RAISE WARNING 'outbox: %: % is not in the tracking plan', operation, concat_ws('.', v_within, v_name_field);
    RETURN payload;
  END IF;
  IF jsonb_typeof(v_data) <> 'object' THEN
    RAISE EXCEPTION 'outbox: %: % must be an object, got %', operation, concat_ws('.', v_within, v_data_field),
      jsonb_typeof(v_data) USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF NOT v_data ?& v_required THEN
    SELECT r.field INTO v_missing FROM unnest(v_required) WITH ORDINALITY AS r(field, n)
    WHERE NOT v_data ? r.field ORDER BY r.n LIMIT 1;
    RAISE EXCEPTION 'outbox: %: % is missing, and the tracking plan requires it', operation,
      concat_ws('.', v_within, v_data_field, v_missing) USING ERRCODE = 'invalid_parameter_value';
  END IF;
  RETURN payload;
END
$$;
--> statement-breakpoint
-- Returns the payload, after the check against the tracking plan if one is installed: install_event_plan replaces this
-- function. So without a plan the check costs nothing: Postgres inlines the function, and what is left is the payload.
CREATE FUNCTION "outbox".planned(operation text, payload jsonb) RETURNS jsonb
LANGUAGE sql VOLATILE AS $$ SELECT payload $$;
--> statement-breakpoint
-- Holds SQL callers to a tracking plan: an object with the required fields of each event, by its name. NULL: to no plan.
-- Takes effect with COMMIT, in open sessions too.
CREATE FUNCTION "outbox".install_event_plan(plan jsonb, strict boolean) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  DELETE FROM "outbox".event_plan;
  INSERT INTO "outbox".event_plan (name, required)
  SELECT e.name, ARRAY(SELECT jsonb_array_elements_text(e.required)) FROM jsonb_each(plan) AS e(name, required);
  EXECUTE format(
    'CREATE OR REPLACE FUNCTION "outbox".planned(operation text, payload jsonb) RETURNS jsonb LANGUAGE sql VOLATILE AS %L',
    CASE WHEN plan IS NULL THEN ' SELECT payload '
         WHEN strict THEN ' SELECT "outbox".check_event(operation, payload, true) '
         ELSE ' SELECT "outbox".check_event(operation, payload, false) ' END);
END
$$;
--> statement-breakpoint
-- Returns the workspace of an intent that is stored readable. require_encryption replaces this function: then it raises an error
-- for workspaces that take encrypted payloads only. Without that it costs nothing, because Postgres inlines it.
CREATE FUNCTION "outbox".readable_workspace(workspace text, operation text) RETURNS text
LANGUAGE sql VOLATILE AS $$ SELECT workspace $$;
--> statement-breakpoint
-- The workspaces that take encrypted payloads only, '*' for all. require_encryption replaces this function.
CREATE FUNCTION "outbox".encrypted_workspaces() RETURNS text[]
LANGUAGE sql STABLE AS $$ SELECT '{}'::text[] $$;
--> statement-breakpoint
-- Raises the error for an intent that would be stored readable in such a workspace, else returns the workspace. What only names
-- the person is taken, because the ordering key names the person too: an erasure in SQL must go on working.
CREATE FUNCTION "outbox".refuse_readable(workspace text, operation text) RETURNS text
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  IF operation NOT IN ('destroy', 'suppress', 'unsuppress')
     AND "outbox".encrypted_workspaces() && ARRAY['*', workspace] THEN
    RAISE EXCEPTION 'outbox: %: workspace % takes encrypted payloads only, and this payload is readable', operation,
      "outbox".quote_for_error(workspace)
      USING ERRCODE = 'object_not_in_prerequisite_state',
            HINT = 'SQL has no key: enqueue from TypeScript, with createOutbox({ encryption }). To take readable payloads again, run customerio-outbox migrate --no-require-encryption.';
  END IF;
  RETURN workspace;
END
$$;
--> statement-breakpoint
-- Makes these workspaces take encrypted payloads only, '*' for all, and no other workspace. Takes effect with COMMIT, in open
-- sessions too.
CREATE FUNCTION "outbox".require_encryption(workspaces text[]) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  EXECUTE format('CREATE OR REPLACE FUNCTION "outbox".encrypted_workspaces() RETURNS text[] LANGUAGE sql STABLE AS %L',
                 format(' SELECT %L::text[] ', workspaces));
  EXECUTE format(
    'CREATE OR REPLACE FUNCTION "outbox".readable_workspace(workspace text, operation text) RETURNS text LANGUAGE sql VOLATILE AS %L',
    CASE WHEN cardinality(workspaces) = 0 THEN ' SELECT workspace '
         ELSE ' SELECT "outbox".refuse_readable(workspace, operation) ' END);
END
$$;
--> statement-breakpoint
-- Raises one clear error for an intent that no relay could deliver. Returns the ordering key.
--
-- The shape of a payload is checked by the TypeScript client. An intent that passes here and cannot be mapped becomes a
-- dead letter with reason 'invalid': it is never lost.
--
-- A payload's text is up to twice as long here as on the wire, because jsonb writes spaces. So this check refuses only what
-- is over twice Customer.io's limit. (jsonb also writes 1e300 as 301 digits, so hundreds of such numbers are refused although
-- they would fit.) Customer.io's limits are 32,000 bytes for an operation of Track or Pipelines, and 3,000,000 bytes for a
-- message or a broadcast: an email with two megabytes of attachments in base64. The relay measures what it would send. If
-- that is over the limit, the intent becomes a dead letter with reason 'invalid'.
--
-- Times must be finite and within bounds: before PostgreSQL 17 a statement that subtracts infinity fails.
--
-- Speed: every transaction prepares these expressions again, which costs more than running them. So there are few
-- expressions, and rare work is in functions of its own. Two checks run only if they can matter:
-- - Numbers are checked if the payload has 16 digits or dots in a row, because a double holds every number of up to 15
--   digits. With numbers_checked the check is skipped: JavaScript wrote the numbers.
-- - The ordering key is computed again, from normalized ids, if it ends like a number with trailing zeros, a boolean, an
--   object or an array.
CREATE FUNCTION "outbox".check_intent(
  operation text, payload jsonb, dedup_key text, dedup_window interval, ordering_key text,
  send_after timestamptz, expires_at timestamptz, workspace text, on_ambiguous text, priority text,
  enqueued_at timestamptz, numbers_checked boolean
) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
  v_api text := "outbox".api_of(operation);
  v_limit integer := CASE WHEN v_api IN ('app', 'broadcast') THEN 3000000 ELSE 32000 END;
  v_text text := payload::text;
  v_key text := coalesce(ordering_key, "outbox".ordering_key_of(operation, payload));
  v_number numeric;
BEGIN
  IF v_api IS NULL THEN
    RAISE EXCEPTION 'outbox: unknown operation %', "outbox".quote_for_error(operation)
      USING ERRCODE = 'invalid_parameter_value',
            HINT = 'identify, track, trackAnonymous, trackPageView, trackScreen, trackPush, addDevice, deleteDevice, suppress, unsuppress, destroy, mergeCustomers, entity, sendEmail, sendPush, sendSMS, sendInboxMessage, sendInApp, triggerBroadcast, pipelines.identify, pipelines.track, pipelines.page, pipelines.screen, pipelines.group, pipelines.alias';
  END IF;
  IF payload IS NULL OR jsonb_typeof(payload) <> 'object' THEN
    RAISE EXCEPTION 'outbox: %: payload must be a JSON object, got %', operation, coalesce(jsonb_typeof(payload), 'NULL')
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF octet_length(v_text) > 2 * v_limit THEN
    RAISE EXCEPTION 'outbox: %: payload is % bytes as text, at most % are allowed: Customer.io takes % bytes for one operation',
      operation, octet_length(v_text), 2 * v_limit, v_limit
      USING ERRCODE = 'invalid_parameter_value', HINT = 'Send less data, or a link to it.';
  END IF;
  IF NOT numbers_checked AND v_text ~ '[0-9.]{16}' OR v_key LIKE ANY ('{%.%0,%true,%false,"%{%","%[%"}') THEN
    IF ordering_key IS NULL THEN
      v_key := "outbox".ordering_key_of(operation, "outbox".normalize_ids(payload));
    END IF;
    v_number := "outbox".altered_number(payload);
    IF v_number IS NOT NULL THEN
      RAISE EXCEPTION 'outbox: %: a number in the payload must fit a double as it is written, got %', operation,
        left(v_number::text, 60)
        USING ERRCODE = 'invalid_parameter_value', HINT = 'Send it as a string.';
    END IF;
  END IF;
  IF v_key IS NULL OR v_key = '' THEN
    IF ordering_key = '' THEN
      RAISE EXCEPTION 'outbox: %: ordering_key is 0 bytes, 1 to 500 are allowed', operation
        USING ERRCODE = 'invalid_parameter_value';
    END IF;
    RAISE EXCEPTION 'outbox: %: the payload names no %', operation,
      CASE operation WHEN 'triggerBroadcast' THEN 'broadcast' WHEN 'trackPush' THEN 'delivery' ELSE 'person' END
      USING ERRCODE = 'invalid_parameter_value',
            HINT = CASE
              WHEN operation = 'triggerBroadcast' THEN 'Give broadcastId.'
              WHEN operation = 'trackPush' THEN 'Give deliveryId.'
              WHEN operation = 'trackAnonymous' THEN 'Give anonymousId, or data.recipient for an invite.'
              WHEN operation = 'pipelines.alias' THEN 'Give message.userId.'
              WHEN v_api = 'pipelines' THEN 'Give message.userId or message.anonymousId.'
              WHEN v_api = 'app' THEN 'Give message.identifiers with one of id, email, cio_id.'
              ELSE 'Give customerId, or identifiers with one of id, email, phone, cio_id.'
            END;
  END IF;
  IF octet_length(v_key) > 500 THEN
    RAISE EXCEPTION 'outbox: %: % is % bytes, at most 500 are allowed', operation,
      CASE WHEN ordering_key IS NULL THEN 'the identifier in the payload' ELSE 'ordering_key' END, octet_length(v_key)
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF dedup_key IS NULL AND dedup_window = interval '7 days' AND send_after IS NULL AND expires_at IS NULL
     AND workspace = 'default' AND on_ambiguous = 'park' AND priority = 'normal' THEN
    RETURN v_key; -- the usual case: defaults only
  END IF;
  IF dedup_key = '' OR octet_length(dedup_key) > 500 THEN
    RAISE EXCEPTION 'outbox: %: dedup_key is % bytes, 1 to 500 are allowed', operation, octet_length(dedup_key)
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF dedup_key IS NOT NULL AND dedup_window IS NULL
     OR date_part('epoch', dedup_window) NOT BETWEEN 0.000001 AND 315619200 THEN
    RAISE EXCEPTION 'outbox: %: dedup_window must be greater than zero and at most 3653 days (ten years), got %',
      operation, coalesce(dedup_window::text, 'NULL')
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF send_after IS NOT NULL OR expires_at IS NOT NULL THEN
    IF send_after NOT BETWEEN timestamptz '1970-01-01 00:00:00+00' AND enqueued_at + interval '3653 days' THEN
      RAISE EXCEPTION 'outbox: %: send_after must be a time from 1970 to ten years ahead, got %', operation, send_after
        USING ERRCODE = 'invalid_parameter_value', HINT = 'NULL, which is the default, sends it now.';
    END IF;
    IF expires_at NOT BETWEEN timestamptz '1970-01-01 00:00:00+00' AND timestamptz '9999-12-31 23:59:59.999999+00' THEN
      RAISE EXCEPTION 'outbox: %: expires_at must be a time from 1970 to 9999, got %', operation, expires_at
        USING ERRCODE = 'invalid_parameter_value', HINT = 'NULL, which is the default, never expires.';
    END IF;
    IF expires_at <= send_after THEN
      RAISE EXCEPTION 'outbox: %: expires_at must be later than send_after', operation
        USING ERRCODE = 'invalid_parameter_value';
    END IF;
  END IF;
  IF workspace IS DISTINCT FROM 'default' AND (workspace IS NULL OR workspace !~ '^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$') THEN
    RAISE EXCEPTION 'outbox: %: workspace must be 1 to 63 letters, digits, - or _, beginning with a letter or digit, got %', operation, "outbox".quote_for_error(workspace)
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF on_ambiguous IS NULL OR on_ambiguous NOT IN ('park', 'resend') THEN
    RAISE EXCEPTION 'outbox: %: on_ambiguous must be park or resend, got %', operation, "outbox".quote_for_error(on_ambiguous)
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF priority IS NULL OR priority NOT IN ('normal', 'bulk') THEN
    RAISE EXCEPTION 'outbox: %: priority must be normal or bulk, got %', operation, "outbox".quote_for_error(priority)
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  RETURN v_key;
END
$$;
--> statement-breakpoint
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA "outbox" FROM PUBLIC;
