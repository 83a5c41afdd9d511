-- Written by `npm run schema:dump` as a review aid, and never run. The migrations beside it are the source.

CREATE TABLE outbox.actions (
  action_id uuid NOT NULL,
  kind text NOT NULL,
  filter jsonb NOT NULL,
  options jsonb NOT NULL,
  plan text NOT NULL,
  state text NOT NULL DEFAULT 'queued'::text,
  total bigint NOT NULL,
  processed bigint NOT NULL DEFAULT 0,
  requested_by text NOT NULL,
  reason text,
  requested_at timestamp with time zone NOT NULL,
  started_at timestamp with time zone,
  finished_at timestamp with time zone,
  error text,
  "position" jsonb NOT NULL DEFAULT '{}'::jsonb,
  result jsonb NOT NULL DEFAULT '{}'::jsonb
);

CREATE TABLE outbox.archive (
  id uuid NOT NULL,
  destination text NOT NULL,
  seq bigint NOT NULL,
  format smallint NOT NULL,
  operation text NOT NULL,
  name text,
  payload json NOT NULL,
  ordering_key text NOT NULL,
  on_ambiguous text NOT NULL,
  enqueued_at timestamp with time zone NOT NULL,
  delivered_at timestamp with time zone NOT NULL,
  drop_on date NOT NULL
) PARTITION BY RANGE (drop_on);

CREATE TABLE outbox.breaker_transitions (
  ordinal bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
  destination text NOT NULL,
  at timestamp with time zone NOT NULL,
  from_state text NOT NULL,
  to_state text NOT NULL,
  reason text NOT NULL,
  relay_id uuid
);

CREATE TABLE outbox.breakers (
  destination text NOT NULL,
  state text NOT NULL DEFAULT 'closed'::text,
  failure_count integer NOT NULL DEFAULT 0,
  last_failure_at timestamp with time zone,
  last_error text,
  opened_at timestamp with time zone,
  retry_at timestamp with time zone,
  consecutive_opens integer NOT NULL DEFAULT 0,
  probe_relay uuid,
  probe_until timestamp with time zone,
  rate_limited_until timestamp with time zone
);

CREATE TABLE outbox.dead_letters (
  id uuid NOT NULL,
  destination text NOT NULL,
  seq bigint NOT NULL,
  format smallint NOT NULL,
  operation text NOT NULL,
  name text,
  payload jsonb NOT NULL,
  ordering_key text NOT NULL,
  priority text NOT NULL,
  on_ambiguous text NOT NULL,
  enqueued_at timestamp with time zone NOT NULL,
  expires_at timestamp with time zone,
  dead_at timestamp with time zone NOT NULL,
  reason text NOT NULL,
  status smallint,
  field text,
  message text,
  requested_at timestamp with time zone,
  holds boolean NOT NULL DEFAULT false
);

CREATE TABLE outbox.dedup (
  workspace text NOT NULL,
  key text NOT NULL,
  intent_id uuid NOT NULL,
  expires_at timestamp with time zone NOT NULL
);

CREATE TABLE outbox.delivered (
  id uuid NOT NULL,
  destination text NOT NULL,
  lane smallint NOT NULL,
  seq bigint NOT NULL,
  operation text NOT NULL,
  name text,
  ordering_key text NOT NULL,
  enqueued_at timestamp with time zone NOT NULL,
  delivered_at timestamp with time zone NOT NULL,
  outcome text NOT NULL DEFAULT 'delivered'::text,
  delivery_id text
) PARTITION BY RANGE (delivered_at);

CREATE TABLE outbox.event_plan (
  name text NOT NULL,
  required text[] NOT NULL
);

CREATE TABLE outbox.history (
  id uuid NOT NULL,
  at timestamp with time zone NOT NULL,
  event text NOT NULL,
  action_id uuid,
  by_user text,
  detail text,
  payload jsonb
) PARTITION BY RANGE (at);

CREATE TABLE outbox.intents (
  destination text NOT NULL,
  lane smallint NOT NULL,
  seq bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
  id uuid NOT NULL,
  format smallint NOT NULL DEFAULT 1,
  operation text NOT NULL,
  name text,
  payload json NOT NULL,
  ordering_key text NOT NULL,
  priority text NOT NULL DEFAULT 'normal'::text,
  on_ambiguous text NOT NULL DEFAULT 'park'::text,
  enqueued_at timestamp with time zone NOT NULL,
  send_after timestamp with time zone,
  expires_at timestamp with time zone,
  sending_at timestamp with time zone,
  attempts smallint NOT NULL DEFAULT 0,
  retry_at timestamp with time zone
);

CREATE TABLE outbox.lanes (
  destination text NOT NULL,
  lane smallint NOT NULL,
  epoch bigint NOT NULL DEFAULT 1,
  relay_id uuid,
  taken_at timestamp with time zone,
  watermark bigint NOT NULL DEFAULT 0,
  provisional_watermark bigint NOT NULL DEFAULT 0,
  provisional_xids bigint[] NOT NULL DEFAULT '{}'::bigint[],
  release_requests integer NOT NULL DEFAULT 0
);

CREATE TABLE outbox.locks (
  name text NOT NULL
);

CREATE TABLE outbox.migrations (
  version integer NOT NULL,
  hash text NOT NULL,
  applied_at timestamp with time zone NOT NULL DEFAULT now(),
  oldest_relay integer
);

CREATE TABLE outbox.origin (
  one boolean NOT NULL DEFAULT true,
  system_identifier text,
  database_oid bigint NOT NULL,
  database_name text NOT NULL,
  recorded_at timestamp with time zone NOT NULL
);

CREATE TABLE outbox.rate_limits (
  name text NOT NULL,
  arrives_at timestamp with time zone NOT NULL
);

CREATE TABLE outbox.relays (
  relay_id uuid NOT NULL,
  host text NOT NULL,
  pid integer NOT NULL,
  version text NOT NULL,
  started_at timestamp with time zone NOT NULL,
  last_seen_at timestamp with time zone NOT NULL,
  polls_failing_since timestamp with time zone,
  poll_error text,
  format smallint NOT NULL DEFAULT 1,
  schema_version integer,
  encryption_keys text[]
);

CREATE TABLE outbox.settled_counts (
  minute timestamp with time zone NOT NULL,
  destination text NOT NULL,
  lane smallint NOT NULL,
  bin smallint NOT NULL,
  count bigint NOT NULL
);

CREATE TABLE outbox.unserved_workspaces (
  slot smallint NOT NULL,
  name text
);

CREATE TABLE outbox.workspaces (
  name text NOT NULL,
  served_at timestamp with time zone NOT NULL
);

ALTER TABLE outbox.actions ADD CONSTRAINT actions_error CHECK (((error IS NULL) OR (state = ANY (ARRAY['running'::text, 'failed'::text]))));
ALTER TABLE outbox.actions ADD CONSTRAINT actions_finished CHECK (((finished_at IS NOT NULL) = (state = ANY (ARRAY['done'::text, 'cancelled'::text, 'failed'::text]))));
ALTER TABLE outbox.actions ADD CONSTRAINT actions_kind CHECK ((kind = ANY (ARRAY['redrive'::text, 'discard'::text, 'replay'::text, 'erase'::text, 'cancel'::text, 'reschedule'::text, 'backfill'::text])));
ALTER TABLE outbox.actions ADD CONSTRAINT actions_pkey PRIMARY KEY (action_id);
ALTER TABLE outbox.actions ADD CONSTRAINT actions_state CHECK ((state = ANY (ARRAY['queued'::text, 'running'::text, 'done'::text, 'cancelled'::text, 'failed'::text])));
ALTER TABLE outbox.breaker_transitions ADD CONSTRAINT breaker_transitions_pkey PRIMARY KEY (ordinal);
ALTER TABLE outbox.breakers ADD CONSTRAINT breakers_open_since CHECK (((state = 'closed'::text) OR (opened_at IS NOT NULL)));
ALTER TABLE outbox.breakers ADD CONSTRAINT breakers_pkey PRIMARY KEY (destination);
ALTER TABLE outbox.breakers ADD CONSTRAINT breakers_probe CHECK (((state = 'half_open'::text) = (probe_relay IS NOT NULL)));
ALTER TABLE outbox.breakers ADD CONSTRAINT breakers_probe_lease CHECK (((probe_relay IS NULL) = (probe_until IS NULL)));
ALTER TABLE outbox.breakers ADD CONSTRAINT breakers_state CHECK ((state = ANY (ARRAY['closed'::text, 'open'::text, 'half_open'::text, 'paused'::text, 'rejecting'::text])));
ALTER TABLE outbox.dead_letters ADD CONSTRAINT dead_letters_pkey PRIMARY KEY (id);
ALTER TABLE outbox.dead_letters ADD CONSTRAINT dead_letters_reason CHECK ((reason = ANY (ARRAY['rejected'::text, 'too_large'::text, 'expired'::text, 'invalid'::text, 'ambiguous'::text, 'exhausted'::text])));
ALTER TABLE outbox.dedup ADD CONSTRAINT dedup_pkey PRIMARY KEY (workspace, key);
ALTER TABLE outbox.delivered ADD CONSTRAINT delivered_outcome CHECK ((outcome = ANY (ARRAY['delivered'::text, 'suppressed_by_config'::text])));
ALTER TABLE outbox.event_plan ADD CONSTRAINT event_plan_pkey PRIMARY KEY (name);
ALTER TABLE outbox.history ADD CONSTRAINT history_event CHECK ((event = ANY (ARRAY['edited'::text, 'redriven'::text, 'discarded'::text, 'replayed'::text, 'cancelled'::text, 'rescheduled'::text])));
ALTER TABLE outbox.intents ADD CONSTRAINT intents_destination CHECK ((destination ~ '^[^/]+/(track|app|broadcast|pipelines)$'::text));
ALTER TABLE outbox.intents ADD CONSTRAINT intents_lane CHECK (((lane >= '-33'::integer) AND (lane <= 31)));
ALTER TABLE outbox.intents ADD CONSTRAINT intents_pkey PRIMARY KEY (destination, lane, seq);
ALTER TABLE outbox.intents ADD CONSTRAINT intents_scheduled_has_time CHECK (((lane <> '-1'::integer) OR (send_after IS NOT NULL)));
ALTER TABLE outbox.lanes ADD CONSTRAINT lanes_holder CHECK (((relay_id IS NULL) = (taken_at IS NULL)));
ALTER TABLE outbox.lanes ADD CONSTRAINT lanes_pkey PRIMARY KEY (destination, lane);
ALTER TABLE outbox.lanes ADD CONSTRAINT lanes_provisional CHECK ((provisional_watermark >= watermark));
ALTER TABLE outbox.locks ADD CONSTRAINT locks_pkey PRIMARY KEY (name);
ALTER TABLE outbox.migrations ADD CONSTRAINT migrations_pkey PRIMARY KEY (version);
ALTER TABLE outbox.origin ADD CONSTRAINT origin_one CHECK (one);
ALTER TABLE outbox.origin ADD CONSTRAINT origin_pkey PRIMARY KEY (one);
ALTER TABLE outbox.rate_limits ADD CONSTRAINT rate_limits_pkey PRIMARY KEY (name);
ALTER TABLE outbox.relays ADD CONSTRAINT relays_pkey PRIMARY KEY (relay_id);
ALTER TABLE outbox.settled_counts ADD CONSTRAINT settled_counts_pkey PRIMARY KEY (minute, destination, lane, bin);
ALTER TABLE outbox.unserved_workspaces ADD CONSTRAINT unserved_workspaces_pkey PRIMARY KEY (slot);
ALTER TABLE outbox.workspaces ADD CONSTRAINT workspaces_pkey PRIMARY KEY (name);

CREATE INDEX actions_open ON outbox.actions USING btree (requested_at) WHERE (state = ANY (ARRAY['queued'::text, 'running'::text]));
CREATE INDEX archive_id ON ONLY outbox.archive USING brin (id) WITH (pages_per_range='64');
CREATE INDEX archive_order ON ONLY outbox.archive USING btree (seq, id);
CREATE INDEX archive_person ON ONLY outbox.archive USING brin (ordering_key text_bloom_ops (n_distinct_per_range='2000')) WITH (pages_per_range='64');
CREATE INDEX breaker_transitions_at ON outbox.breaker_transitions USING btree (at);
CREATE INDEX dead_letters_holding ON outbox.dead_letters USING btree (destination, outbox.lane_of(destination, ordering_key, priority), ordering_key, seq) WHERE holds;
CREATE INDEX dead_letters_newest ON outbox.dead_letters USING btree (dead_at, destination);
CREATE INDEX dead_letters_order ON outbox.dead_letters USING btree (seq, id);
CREATE INDEX dead_letters_person ON outbox.dead_letters USING btree (ordering_key);
CREATE INDEX dead_letters_summary ON outbox.dead_letters USING btree (destination, operation, reason, dead_at);
CREATE INDEX dedup_expiry ON outbox.dedup USING btree (expires_at);
CREATE INDEX dedup_intent ON outbox.dedup USING btree (intent_id);
CREATE INDEX delivered_id ON ONLY outbox.delivered USING brin (id) WITH (pages_per_range='64');
CREATE INDEX delivered_message ON ONLY outbox.delivered USING btree (delivery_id) WHERE (delivery_id IS NOT NULL);
CREATE INDEX delivered_person ON ONLY outbox.delivered USING brin (ordering_key text_bloom_ops (n_distinct_per_range='4500')) WITH (pages_per_range='64');
CREATE INDEX history_edited ON ONLY outbox.history USING btree (at) WHERE (payload IS NOT NULL);
CREATE INDEX history_id ON ONLY outbox.history USING btree (id);
CREATE INDEX intents_held ON outbox.intents USING btree (destination, lane, ordering_key, seq) WHERE (lane < '-1'::integer);
CREATE INDEX intents_scheduled ON outbox.intents USING btree (destination, send_after, seq) WHERE (lane = '-1'::integer);

CREATE SEQUENCE outbox.breaker_transitions_ordinal_seq AS bigint INCREMENT 1 MINVALUE 1 MAXVALUE 9223372036854775807 START 1 CACHE 1;

CREATE SEQUENCE outbox.intents_seq_seq AS bigint INCREMENT 1 MINVALUE 1 MAXVALUE 9223372036854775807 START 1 CACHE 1;

CREATE SEQUENCE outbox.notify_flag AS integer INCREMENT 1 MINVALUE 1 MAXVALUE 2 START 1 CACHE 1;

CREATE OR REPLACE FUNCTION outbox.accept_copy()
 RETURNS boolean
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  v_was_copy boolean := (SELECT c.is_copy FROM "outbox".check_origin() c);
BEGIN
  INSERT INTO "outbox".origin (system_identifier, database_oid, database_name, recorded_at)
  SELECT i.system_identifier, i.database_oid, i.database_name, clock_timestamp() FROM "outbox".current_identity() i
  ON CONFLICT ON CONSTRAINT origin_pkey DO UPDATE
  SET system_identifier = excluded.system_identifier, database_oid = excluded.database_oid,
      database_name = excluded.database_name, recorded_at = excluded.recorded_at;
  RETURN v_was_copy;
END
$function$;
-- executable by the owner, outbox_operator, outbox_relay

CREATE OR REPLACE FUNCTION outbox.admit_workspace(workspace text)
 RETURNS void
 LANGUAGE plpgsql
AS $function$
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
$function$;
-- executable by the owner

CREATE OR REPLACE FUNCTION outbox.advance_backfill(action_id uuid, intents jsonb, after jsonb, upto jsonb, is_last boolean, skipped bigint DEFAULT 0)
 RETURNS text
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- executable by the owner, outbox_operator

CREATE OR REPLACE FUNCTION outbox.altered_number(payload jsonb)
 RETURNS numeric
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET extra_float_digits TO '1'
AS $function$
  SELECT n
  FROM jsonb_path_query(payload, 'strict $.**{0 to 34} ? (@.type() == "number")') AS v,
    LATERAL (SELECT v::numeric AS n) AS number,
    LATERAL (SELECT CASE WHEN abs(n) BETWEEN 4.9e-324 AND 1.7976931348623157e308 THEN (n::float8)::text::numeric END AS short) AS t
  WHERE CASE WHEN n = 0 THEN false
             WHEN abs(n) BETWEEN 4.9e-324 AND 1.7976931348623157e308 THEN n <> t.short
               AND length(trim('0' FROM translate(n::text, '-.', ''))) >= length(trim('0' FROM translate(t.short::text, '-.', '')))
             ELSE true END
  LIMIT 1
$function$;
-- executable by the owner

CREATE OR REPLACE FUNCTION outbox.api_of(operation text)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
AS $function$
  SELECT CASE
    WHEN operation IN ('identify', 'track', 'trackAnonymous', 'trackPageView', 'trackScreen', 'trackPush',
                       'addDevice', 'deleteDevice', 'suppress', 'unsuppress', 'destroy', 'mergeCustomers',
                       'entity') THEN 'track'
    WHEN operation IN ('sendEmail', 'sendPush', 'sendSMS', 'sendInboxMessage', 'sendInApp') THEN 'app'
    WHEN operation = 'triggerBroadcast' THEN 'broadcast'
    WHEN operation IN ('pipelines.identify', 'pipelines.track', 'pipelines.page', 'pipelines.screen',
                       'pipelines.group', 'pipelines.alias') THEN 'pipelines'
  END
$function$;
-- executable by the owner

CREATE OR REPLACE FUNCTION outbox.apply(kind text, filter jsonb, plan text, reason text DEFAULT NULL::text, options jsonb DEFAULT '{}'::jsonb)
 RETURNS uuid
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- executable by the owner, outbox_operator

CREATE OR REPLACE FUNCTION outbox.archive_drop_on(at timestamp with time zone, days integer)
 RETURNS date
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
AS $function$
  SELECT CASE WHEN days <= 92 THEN (at AT TIME ZONE 'UTC')::date + days + 1
              ELSE (date_trunc('month', ((at AT TIME ZONE 'UTC')::date + days)::timestamp) + interval '1 month')::date END
$function$;
-- executable by the owner, outbox_relay

CREATE OR REPLACE FUNCTION outbox.cancel(action_id uuid)
 RETURNS boolean
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- executable by the owner, outbox_operator

CREATE OR REPLACE FUNCTION outbox.check_action_options(kind text, options jsonb)
 RETURNS void
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- executable by the owner

CREATE OR REPLACE FUNCTION outbox.check_destination(destination text)
 RETURNS void
 LANGUAGE plpgsql
 IMMUTABLE PARALLEL SAFE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
  IF destination IS NULL OR destination !~ '^[A-Za-z0-9][A-Za-z0-9_-]{0,62}/(track|app|broadcast|pipelines)$' THEN
    RAISE EXCEPTION 'outbox: destination must be <workspace>/<api> with api one of track, app, broadcast, pipelines, got %',
      "outbox".quote_for_error(destination)
      USING ERRCODE = 'invalid_parameter_value', HINT = 'Such as default/track.';
  END IF;
END
$function$;
-- executable by the owner

CREATE OR REPLACE FUNCTION outbox.check_event(operation text, payload jsonb, strict boolean)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
AS $function$
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
$function$;
-- executable by the owner

CREATE OR REPLACE FUNCTION outbox.check_filter(kind text, filter jsonb)
 RETURNS void
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  v_known text[] := CASE
    WHEN kind IN ('redrive', 'discard', 'list') THEN
      '{ids,destination,workspace,operation,name,person,reason,status,message,since,until}'::text[]
    WHEN kind IN ('cancel', 'reschedule', 'replay') THEN
      '{ids,destination,workspace,operation,name,person,since,until}'::text[]
    WHEN kind = 'erase' THEN '{person,workspace}'::text[]
  END;
  v_field record;
  v_value jsonb;
BEGIN
  IF v_known IS NULL THEN
    RAISE EXCEPTION 'outbox: unknown kind of action %', "outbox".quote_for_error(kind)
      USING ERRCODE = 'invalid_parameter_value', HINT = 'redrive, discard, replay, erase, cancel, reschedule';
  END IF;
  IF filter IS NULL OR jsonb_typeof(filter) <> 'object' THEN
    RAISE EXCEPTION 'outbox: %: filter must be a JSON object, got %', kind, coalesce(jsonb_typeof(filter), 'NULL')
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF octet_length(filter::text) > 1000000 THEN
    RAISE EXCEPTION 'outbox: %: filter is % bytes, at most 1000000 are allowed', kind, octet_length(filter::text)
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  FOR v_field IN SELECT * FROM jsonb_each(filter) AS f(key, value) LOOP
    IF v_field.key <> ALL (v_known) THEN
      RAISE EXCEPTION 'outbox: %: unknown field % of the filter', kind, "outbox".quote_for_error(v_field.key)
        USING ERRCODE = 'invalid_parameter_value', HINT = array_to_string(v_known, ', ');
    END IF;
    FOR v_value IN SELECT e FROM jsonb_array_elements(
        CASE jsonb_typeof(v_field.value) WHEN 'array' THEN v_field.value ELSE jsonb_build_array(v_field.value) END) AS e LOOP
      IF jsonb_typeof(v_value) NOT IN ('string', 'number') OR v_value #>> '{}' = '' THEN
        RAISE EXCEPTION 'outbox: %: % of the filter must be a text or a number, or an array of them, got %', kind,
          v_field.key, CASE WHEN v_value = '""' THEN 'an empty text' ELSE jsonb_typeof(v_value) END
          USING ERRCODE = 'invalid_parameter_value';
      END IF;
      IF v_field.key = 'ids' AND "outbox".id_of(v_value #>> '{}') IS NULL THEN
        RAISE EXCEPTION 'outbox: %: ids of the filter must be UUIDs or ULIDs, got %', kind,
          "outbox".quote_for_error(v_value #>> '{}') USING ERRCODE = 'invalid_parameter_value';
      END IF;
      IF v_field.key = 'status' AND v_value #>> '{}' !~ '^[0-9]{3}$' THEN
        RAISE EXCEPTION 'outbox: %: status of the filter must be an HTTP status such as 400, got %', kind,
          "outbox".quote_for_error(v_value #>> '{}') USING ERRCODE = 'invalid_parameter_value';
      END IF;
      IF v_field.key = 'reason'
         AND v_value #>> '{}' NOT IN ('rejected', 'too_large', 'expired', 'invalid', 'ambiguous', 'exhausted') THEN
        RAISE EXCEPTION 'outbox: %: unknown reason %', kind, "outbox".quote_for_error(v_value #>> '{}')
          USING ERRCODE = 'invalid_parameter_value',
                HINT = 'rejected, too_large, expired, invalid, ambiguous, exhausted';
      END IF;
    END LOOP;
    IF v_field.value = '[]' OR v_field.key IN ('since', 'until', 'message') AND jsonb_typeof(v_field.value) = 'array' THEN
      RAISE EXCEPTION 'outbox: %: % of the filter must be %', kind, v_field.key,
        CASE WHEN v_field.value = '[]' THEN 'a value or an array of at least one value' ELSE 'one text' END
        USING ERRCODE = 'invalid_parameter_value';
    END IF;
  END LOOP;
  IF filter = '{}' AND kind <> 'list' THEN
    RAISE EXCEPTION 'outbox: %: the filter is empty and would match everything', kind
      USING ERRCODE = 'invalid_parameter_value', HINT = 'Give at least one of ' || array_to_string(v_known, ', ') || '.';
  END IF;
  IF kind = 'erase' AND NOT filter ? 'person' THEN
    RAISE EXCEPTION 'outbox: erase: the filter names no person'
      USING ERRCODE = 'invalid_parameter_value', HINT = 'Give person: every identifier of the person.';
  END IF;
END
$function$;
-- executable by the owner

CREATE OR REPLACE FUNCTION outbox.check_intent(operation text, payload jsonb, dedup_key text, dedup_window interval, ordering_key text, send_after timestamp with time zone, expires_at timestamp with time zone, workspace text, on_ambiguous text, priority text, enqueued_at timestamp with time zone, numbers_checked boolean)
 RETURNS text
 LANGUAGE plpgsql
 IMMUTABLE PARALLEL SAFE
AS $function$
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
$function$;
-- executable by the owner

CREATE OR REPLACE FUNCTION outbox.check_origin(OUT is_copy boolean, OUT origin_system text, OUT origin_oid bigint, OUT origin_name text, OUT current_system text, OUT current_oid bigint, OUT current_name text)
 RETURNS record
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
  SELECT i.system_identifier, i.database_oid, i.database_name INTO current_system, current_oid, current_name
  FROM "outbox".current_identity() i;
  SELECT o.system_identifier, o.database_oid, o.database_name INTO origin_system, origin_oid, origin_name
  FROM "outbox".origin o;
  is_copy := origin_oid IS DISTINCT FROM current_oid OR coalesce(origin_system <> current_system, false);
END
$function$;
-- executable by the owner, outbox_operator, outbox_relay, outbox_viewer

CREATE OR REPLACE FUNCTION outbox.claim_dedup_key(workspace text, dedup_key text, dedup_window interval, claimed_at timestamp with time zone, intent_id uuid)
 RETURNS uuid
 LANGUAGE plpgsql
AS $function$
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
$function$;
-- executable by the owner

CREATE OR REPLACE FUNCTION outbox.claim_dedup_keys(workspaces text[], dedup_keys text[], dedup_windows interval[], claimed_at timestamp with time zone, intent_ids uuid[])
 RETURNS uuid[]
 LANGUAGE plpgsql
AS $function$
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
$function$;
-- executable by the owner

CREATE OR REPLACE FUNCTION outbox.current_identity(OUT system_identifier text, OUT database_oid bigint, OUT database_name text)
 RETURNS record
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
  SELECT d.oid::bigint, d.datname INTO database_oid, database_name
  FROM pg_database d WHERE d.datname = current_database();
  IF has_function_privilege('pg_control_system()', 'EXECUTE') THEN
    SELECT c.system_identifier::text INTO system_identifier FROM pg_control_system() c;
  END IF;
END
$function$;
-- executable by the owner

CREATE OR REPLACE FUNCTION outbox.edit_dead_letter(id uuid, payload jsonb, reason text DEFAULT NULL::text)
 RETURNS outbox.dead_letters
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- executable by the owner, outbox_operator

CREATE OR REPLACE FUNCTION outbox.encrypted_workspaces()
 RETURNS text[]
 LANGUAGE sql
 STABLE
AS $function$ SELECT '{}'::text[] $function$;
-- executable by the owner, outbox_operator, outbox_viewer

CREATE OR REPLACE FUNCTION outbox.encryption_keys_in_use(max bigint DEFAULT 1000000)
 RETURNS TABLE(table_name text, key text, count bigint, newest timestamp with time zone, complete boolean)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- executable by the owner, outbox_operator, outbox_viewer

CREATE OR REPLACE FUNCTION outbox.end_of_chunk(action outbox.actions, source text, until text, max integer, OUT seq bigint, OUT id uuid)
 RETURNS record
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
  EXECUTE format('SELECT x.seq, x.id FROM "outbox".%I x WHERE (x.seq, x.id) > ($1, $2) AND %s <= $3 AND %s
                  ORDER BY x.seq, x.id OFFSET $4 - 1 LIMIT 1', source, until, "outbox".filter_condition(action.kind, action.filter))
  INTO seq, id
  USING coalesce((action.position ->> 'seq')::bigint, 0),
        coalesce((action.position ->> 'id')::uuid, '00000000-0000-0000-0000-000000000000'), action.requested_at, max;
END
$function$;
-- executable by the owner

CREATE OR REPLACE FUNCTION outbox.enqueue(operation text, payload jsonb, dedup_key text DEFAULT NULL::text, dedup_window interval DEFAULT '7 days'::interval, ordering_key text DEFAULT NULL::text, send_after timestamp with time zone DEFAULT NULL::timestamp with time zone, expires_at timestamp with time zone DEFAULT NULL::timestamp with time zone, workspace text DEFAULT 'default'::text, on_ambiguous text DEFAULT 'park'::text, priority text DEFAULT 'normal'::text, plan_checked boolean DEFAULT false, OUT id uuid, OUT duplicate boolean)
 RETURNS record
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- executable by the owner, outbox_enqueue

CREATE OR REPLACE FUNCTION outbox.enqueue_encrypted(operation text, envelope text, name text, dedup_key text DEFAULT NULL::text, dedup_window interval DEFAULT '7 days'::interval, ordering_key text DEFAULT NULL::text, send_after timestamp with time zone DEFAULT NULL::timestamp with time zone, expires_at timestamp with time zone DEFAULT NULL::timestamp with time zone, workspace text DEFAULT 'default'::text, on_ambiguous text DEFAULT 'park'::text, priority text DEFAULT 'normal'::text, OUT id uuid, OUT duplicate boolean)
 RETURNS record
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- executable by the owner, outbox_enqueue

CREATE OR REPLACE FUNCTION outbox.enqueue_encrypted_many(operations text[], envelopes text, names text[], dedup_keys text[], dedup_window interval, ordering_keys text[], send_after timestamp with time zone DEFAULT NULL::timestamp with time zone, expires_at timestamp with time zone DEFAULT NULL::timestamp with time zone, workspace text DEFAULT 'default'::text, on_ambiguous text DEFAULT 'park'::text, priority text DEFAULT 'normal'::text, OUT ids uuid[], OUT duplicates boolean[])
 RETURNS record
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- executable by the owner, outbox_enqueue

CREATE OR REPLACE FUNCTION outbox.enqueue_many(intents jsonb, numbers_checked boolean DEFAULT false, plan_checked boolean DEFAULT false)
 RETURNS TABLE(ordinal integer, id uuid, duplicate boolean)
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- executable by the owner, outbox_enqueue

CREATE OR REPLACE FUNCTION outbox.enqueue_wire(operation text, person_kind text, person text, name text, attributes text, occurred_at bigint, OUT id uuid, OUT duplicate boolean)
 RETURNS record
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- executable by the owner, outbox_enqueue

CREATE OR REPLACE FUNCTION outbox.enqueue_wire_many(operations text[], person_kinds text[], persons text[], names text[], attributes text, occurred_at bigint[], dedup_keys text[] DEFAULT NULL::text[], dedup_window interval DEFAULT '7 days'::interval, ordering_key text DEFAULT NULL::text, send_after timestamp with time zone DEFAULT NULL::timestamp with time zone, expires_at timestamp with time zone DEFAULT NULL::timestamp with time zone, workspace text DEFAULT 'default'::text, on_ambiguous text DEFAULT 'park'::text, priority text DEFAULT 'normal'::text, OUT ids uuid[], OUT duplicates boolean[])
 RETURNS record
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- executable by the owner, outbox_enqueue

CREATE OR REPLACE FUNCTION outbox.enqueue_wire_with(operation text, person_kind text, person text, name text, attributes text, occurred_at bigint, dedup_key text DEFAULT NULL::text, dedup_window interval DEFAULT '7 days'::interval, ordering_key text DEFAULT NULL::text, send_after timestamp with time zone DEFAULT NULL::timestamp with time zone, expires_at timestamp with time zone DEFAULT NULL::timestamp with time zone, workspace text DEFAULT 'default'::text, on_ambiguous text DEFAULT 'park'::text, priority text DEFAULT 'normal'::text, OUT id uuid, OUT duplicate boolean)
 RETURNS record
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- executable by the owner, outbox_enqueue

CREATE OR REPLACE FUNCTION outbox.ensure_partitions(payload_days integer[] DEFAULT '{}'::integer[])
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '500ms'
 SET "TimeZone" TO 'UTC'
 SET "DateStyle" TO 'ISO'
AS $function$
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
$function$;
-- executable by the owner, outbox_relay

CREATE OR REPLACE FUNCTION outbox.envelope_of(payload jsonb)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  SELECT CASE jsonb_typeof(payload) WHEN 'object' THEN
    CASE WHEN payload - '{v,key,iv,data}'::text[] = '{}' THEN
      format('{"v":%s,"key":%s,"iv":%s,"data":%s}', payload -> 'v', payload -> 'key', payload -> 'iv', payload -> 'data') END END
$function$;
-- executable by the owner

CREATE OR REPLACE FUNCTION outbox.erase_conditions(filter jsonb, OUT by_key text, OUT in_payload text)
 RETURNS record
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- executable by the owner

CREATE OR REPLACE FUNCTION outbox.estimate_dead_letters(destination text, operation text, reason text)
 RETURNS bigint
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  v_plan json;
BEGIN
  EXECUTE format('EXPLAIN (FORMAT JSON) SELECT 1 FROM "outbox".dead_letters
                  WHERE destination = %L AND operation = %L AND reason = %L', destination, operation, reason)
    INTO v_plan;
  RETURN (v_plan #>> '{0,Plan,Plan Rows}')::bigint;
END
$function$;
-- executable by the owner, outbox_operator, outbox_relay, outbox_viewer

CREATE OR REPLACE FUNCTION outbox.fail_action(action_id uuid, error text, give_up boolean)
 RETURNS void
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  UPDATE "outbox".actions a
  SET state = CASE WHEN give_up THEN 'failed' ELSE 'running' END, error = left(fail_action.error, 500),
      started_at = coalesce(a.started_at, clock_timestamp()), finished_at = CASE WHEN give_up THEN clock_timestamp() END
  WHERE a.action_id = fail_action.action_id AND a.state IN ('queued', 'running')
$function$;
-- executable by the owner, outbox_relay

CREATE OR REPLACE FUNCTION outbox.filter_condition(kind text, filter jsonb)
 RETURNS text
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  v_time text := CASE WHEN kind IN ('redrive', 'discard', 'list') THEN 'x.dead_at'
                      WHEN kind = 'replay' THEN 'x.delivered_at' ELSE 'x.enqueued_at' END;
BEGIN
  PERFORM "outbox".check_filter(kind, filter);
  RETURN concat_ws(' AND ', 'true',
    CASE WHEN filter ? 'ids' THEN format('x.id = ANY (%L::uuid[])',
      ARRAY(SELECT "outbox".id_of(v) FROM unnest("outbox".filter_values(filter, 'ids')) AS v)) END,
    CASE WHEN filter ? 'destination' THEN format('x.destination = ANY (%L::text[])', "outbox".filter_values(filter, 'destination')) END,
    CASE WHEN filter ? 'workspace' THEN format('x.destination = ANY (%L::text[])',
      ARRAY(SELECT v || '/' || api FROM unnest("outbox".filter_values(filter, 'workspace')) AS v,
              unnest('{track,app,broadcast,pipelines}'::text[]) AS api)) END,
    CASE WHEN filter ? 'operation' THEN format('x.operation = ANY (%L::text[])', "outbox".filter_values(filter, 'operation')) END,
    CASE WHEN filter ? 'name' THEN format('x.name = ANY (%L::text[])', "outbox".filter_values(filter, 'name')) END,
    CASE WHEN filter ? 'person' THEN format('x.ordering_key = ANY (%L::text[])',
      "outbox".keys_of("outbox".filter_values(filter, 'person'))) END,
    CASE WHEN filter ? 'reason' THEN format('x.reason = ANY (%L::text[])', "outbox".filter_values(filter, 'reason')) END,
    CASE WHEN filter ? 'status' THEN format('x.status = ANY (%L::smallint[])', "outbox".filter_values(filter, 'status')) END,
    CASE WHEN filter ? 'message' THEN format('strpos(lower(x.message), lower(%L)) > 0', filter ->> 'message') END,
    CASE WHEN filter ? 'since' THEN format('%s >= %s', v_time, "outbox".filter_time(kind, filter, 'since')) END,
    CASE WHEN filter ? 'until' THEN format('%s < %s', v_time, "outbox".filter_time(kind, filter, 'until')) END);
END
$function$;
-- executable by the owner

CREATE OR REPLACE FUNCTION outbox.filter_time(kind text, filter jsonb, field text)
 RETURNS text
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  v_text text := filter ->> field;
BEGIN
  IF NOT isfinite(v_text::timestamptz) THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_datetime_format';
  END IF;
  RETURN quote_literal(v_text::timestamptz) || '::timestamptz';
EXCEPTION WHEN data_exception THEN
  RAISE EXCEPTION 'outbox: %: % of the filter must be a time such as 2026-11-29T03:00:00Z, got %', kind, field,
    "outbox".quote_for_error(v_text) USING ERRCODE = 'invalid_parameter_value';
END
$function$;
-- executable by the owner

CREATE OR REPLACE FUNCTION outbox.filter_values(filter jsonb, field text)
 RETURNS text[]
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
AS $function$
  SELECT CASE WHEN filter ? field THEN ARRAY(SELECT e #>> '{}' FROM jsonb_array_elements(
    CASE jsonb_typeof(filter -> field) WHEN 'array' THEN filter -> field ELSE jsonb_build_array(filter -> field) END) AS e) END
$function$;
-- executable by the owner

CREATE OR REPLACE FUNCTION outbox.find(what text, max_intents integer DEFAULT 100)
 RETURNS TABLE(id uuid, at timestamp with time zone, event text, destination text, operation text, name text, ordering_key text, detail text)
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  v_keys text[] := "outbox".keys_of(ARRAY[what]);
  v_ids uuid[];
BEGIN
  IF what IS NULL OR btrim(what) = '' THEN
    RAISE EXCEPTION 'outbox: find needs a person, an id, a dedup key or a delivery id' USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF (max_intents BETWEEN 1 AND 10000) IS NOT TRUE THEN
    RAISE EXCEPTION 'outbox: max_intents must be 1 to 10000, got %', coalesce(max_intents::text, 'NULL')
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  v_ids := ARRAY(SELECT "outbox".id_of(what) WHERE "outbox".id_of(what) IS NOT NULL
                 UNION
                 SELECT d.intent_id FROM (SELECT w.name FROM "outbox".workspaces w UNION VALUES ('default')
                                          UNION SELECT u.name FROM "outbox".unserved_workspaces u WHERE u.name IS NOT NULL) w
                   JOIN "outbox".dedup d ON d.workspace = w.name AND d.key = what);
  RETURN QUERY
  WITH delivered AS MATERIALIZED (
    SELECT * FROM "outbox".find_delivered(v_keys, v_ids, what, max_intents)
  ), dead AS MATERIALIZED (
    (SELECT * FROM "outbox".dead_letters d WHERE d.ordering_key = ANY (v_keys) ORDER BY d.dead_at DESC LIMIT max_intents)
    UNION ALL
    SELECT * FROM "outbox".dead_letters d WHERE d.id = ANY (v_ids) AND d.ordering_key <> ALL (v_keys)
  ), pending AS MATERIALIZED (
    SELECT * FROM "outbox".find_pending(v_keys,
      ARRAY(SELECT i FROM unnest(v_ids) AS i EXCEPT SELECT d.id FROM delivered d EXCEPT SELECT d.id FROM dead d), max_intents)
  ), intent AS (
    SELECT d.id, d.enqueued_at, d.destination, d.operation, d.name, d.ordering_key FROM delivered d
    UNION SELECT d.id, d.enqueued_at, d.destination, d.operation, d.name, d.ordering_key FROM dead d
    UNION SELECT p.id, p.enqueued_at, p.destination, p.operation, p.name, p.ordering_key FROM pending p
  ), past AS (
    SELECT h.*, a.requested_by, a.reason FROM "outbox".history h LEFT JOIN "outbox".actions a ON a.action_id = h.action_id
    WHERE h.id = ANY (ARRAY(SELECT i.id FROM intent i UNION SELECT unnest(v_ids)))
  ), event AS (
    SELECT i.id, i.enqueued_at AS at, 'enqueued' AS event, i.destination, i.operation, i.name, i.ordering_key, NULL AS detail
    FROM intent i
    UNION ALL
    SELECT p.id, clock_timestamp(), CASE WHEN p.lane = -1 THEN 'scheduled' ELSE 'pending' END, p.destination, p.operation, p.name,
           p.ordering_key, "outbox".why_pending(p)
    FROM pending p
    UNION ALL
    SELECT d.id, d.delivered_at, d.outcome, d.destination, d.operation, d.name, d.ordering_key,
           'Customer.io''s delivery id: ' || d.delivery_id
    FROM delivered d
    UNION ALL
    SELECT d.id, d.dead_at, 'dead', d.destination, d.operation, d.name, d.ordering_key,
           concat_ws(': ', d.reason, nullif(concat_ws(' ', d.status, d.field, d.message), ''))
    FROM dead d
    UNION ALL
    SELECT p.id, p.at, p.event, i.destination, i.operation, i.name, i.ordering_key,
           concat_ws('; ', p.detail, 'by ' || coalesce(p.by_user, p.requested_by), p.reason)
    FROM past p LEFT JOIN intent i ON i.id = p.id
  )
  SELECT e.id, e.at, e.event, e.destination, e.operation, e.name, e.ordering_key, e.detail
  FROM event e ORDER BY e.at, e.id;
END
$function$;
-- executable by the owner, outbox_operator

CREATE OR REPLACE FUNCTION outbox.find_delivered(keys text[], ids uuid[], delivery text, max integer)
 RETURNS SETOF outbox.delivered
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET enable_seqscan TO 'off'
AS $function$
BEGIN
  IF cardinality(ids) > 0 THEN
    RETURN QUERY SELECT d.* FROM "outbox".delivered d WHERE d.id = ANY (ids) ORDER BY d.delivered_at DESC LIMIT max;
  END IF;
  RETURN QUERY SELECT d.* FROM "outbox".delivered d WHERE d.ordering_key = ANY (keys) AND d.id <> ALL (ids)
               ORDER BY d.delivered_at DESC LIMIT max;
  RETURN QUERY SELECT d.* FROM "outbox".delivered d WHERE d.delivery_id = delivery AND d.id <> ALL (ids)
               AND d.ordering_key <> ALL (keys) LIMIT max;
END
$function$;
-- executable by the owner

CREATE OR REPLACE FUNCTION outbox.find_pending(keys text[], ids uuid[], max integer)
 RETURNS SETOF outbox.intents
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
  RETURN QUERY
    SELECT i.* FROM (SELECT h.destination FROM "outbox".lane_heads h UNION SELECT l.destination FROM "outbox".lanes l) d, unnest(keys) AS k(key),
      LATERAL (SELECT "outbox".lane_of(d.destination, k.key, 'normal') AS normal) own,
      LATERAL (SELECT DISTINCT l FROM unnest(ARRAY[-1, normal, normal + 16, -2 - normal, -2 - (normal + 16)]) AS l) lanes,
      LATERAL (SELECT i.* FROM "outbox".intents i
               WHERE i.destination = d.destination AND i.lane = lanes.l AND i.ordering_key = k.key
               ORDER BY i.seq DESC LIMIT max) i;
  IF cardinality(ids) > 0 THEN
    RETURN QUERY SELECT i.* FROM "outbox".intents i WHERE i.id = ANY (ids) AND i.ordering_key <> ALL (keys);
  END IF;
END
$function$;
-- executable by the owner

CREATE OR REPLACE FUNCTION outbox.grant_roles()
 RETURNS TABLE(statement text, error text)
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  v_role text := current_setting('role');
  v_statement text;
  v_errors jsonb := '{}';
BEGIN
  FOR v_round IN 1..2 LOOP
    FOR v_statement IN SELECT d.statement FROM "outbox".role_drift() d LOOP
      BEGIN
        EXECUTE v_statement;
        PERFORM set_config('role', v_role, false);
      EXCEPTION
        WHEN lock_not_available OR deadlock_detected THEN
          RAISE; -- migrate retries
        WHEN OTHERS THEN
          v_errors := v_errors || jsonb_build_object(v_statement, SQLERRM);
      END;
    END LOOP;
  END LOOP;
  RETURN QUERY
    SELECT d.statement, coalesce(v_errors ->> d.statement, format('the user %I lacks the right to run it', current_user))
    FROM "outbox".role_drift() d;
END
$function$;
-- executable by the owner

CREATE OR REPLACE FUNCTION outbox.hash_persons(persons text[])
 RETURNS void
 LANGUAGE sql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  UPDATE "outbox".actions a
  SET filter = jsonb_set(a.filter, '{person}', (
    SELECT jsonb_agg('sha256:' || encode(sha256(convert_to(p, 'UTF8')), 'hex'))
    FROM unnest("outbox".filter_values(a.filter, 'person')) AS p))
  WHERE a.filter ? 'person' AND "outbox".keys_of("outbox".filter_values(a.filter, 'person')) && "outbox".keys_of(persons)
    AND a.state NOT IN ('queued', 'running')
$function$;
-- executable by the owner

CREATE OR REPLACE FUNCTION outbox.held_heads(destination text, lane integer)
 RETURNS TABLE(ordering_key text, seq bigint)
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- executable by the owner, outbox_relay

CREATE OR REPLACE FUNCTION outbox.holding_letter(destination text, lane integer, ordering_key text, OUT id uuid, OUT seq bigint)
 RETURNS record
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  SELECT d.id, d.seq FROM "outbox".dead_letters d
  WHERE d.holds AND d.destination = holding_letter.destination
    AND "outbox".lane_of(d.destination, d.ordering_key, d.priority) = holding_letter.lane
    AND d.ordering_key = holding_letter.ordering_key
  ORDER BY d.seq LIMIT 1
$function$;
-- executable by the owner, outbox_relay

CREATE OR REPLACE FUNCTION outbox.id_after(head text, first bigint, n bigint)
 RETURNS uuid
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
AS $function$
  SELECT (head || right('00000000000' || to_hex((first + n) & 281474976710655), 12))::uuid
$function$;
-- executable by the owner

CREATE OR REPLACE FUNCTION outbox.id_of(value text)
 RETURNS uuid
 LANGUAGE plpgsql
 IMMUTABLE PARALLEL SAFE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  v_bits bit(130) := b'0'::bit(130);
  v_digit integer;
BEGIN
  IF value ~* '^[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}$' THEN
    RETURN value::uuid;
  END IF;
  IF value !~* '^[0-7][0-9a-hjkmnp-tv-z]{25}$' THEN
    RETURN NULL;
  END IF;
  FOR v_n IN 1..26 LOOP
    v_digit := strpos('0123456789ABCDEFGHJKMNPQRSTVWXYZ', upper(substr(value, v_n, 1))) - 1;
    v_bits := (v_bits << 5) | (b'0'::bit(125) || v_digit::bit(5));
  END LOOP;
  -- The first two of 130 bits are zero.
  RETURN (SELECT string_agg(lpad(to_hex(substring(v_bits FROM 3 + 32 * n FOR 32)::bit(32)::bigint), 8, '0'), '' ORDER BY n)
          FROM generate_series(0, 3) AS n)::uuid;
END
$function$;
-- executable by the owner

CREATE OR REPLACE FUNCTION outbox.identifier_of(person text, OUT kind text, OUT value text)
 RETURNS record
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  SELECT coalesce(m[1], CASE WHEN person LIKE '%@%' THEN 'email' ELSE 'id' END), coalesce(m[2], person)
  FROM (SELECT regexp_match(person, '^(id|email|phone|cio_id):(.+)$') AS m) AS matched
$function$;
-- executable by the owner

CREATE OR REPLACE FUNCTION outbox.install_event_plan(plan jsonb, strict boolean)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- executable by the owner

CREATE OR REPLACE FUNCTION outbox.is_envelope(operation text, envelope text)
 RETURNS boolean
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
AS $function$
  SELECT octet_length(envelope) <= CASE WHEN "outbox".api_of(operation) IN ('app', 'broadcast') THEN 4010000 ELSE 44000 END
    AND envelope ~ '^\{"v":1,"key":"[A-Za-z0-9+/=_.:-]+","iv":"[A-Za-z0-9+/]{16}","data":"[A-Za-z0-9+/]{22,}={0,2}"\}$'
    AND length(split_part(envelope, '"', 6)) <= 400 -- the key's id
$function$;
-- executable by the owner

CREATE OR REPLACE FUNCTION outbox.is_partition(parent text, name text)
 RETURNS boolean
 LANGUAGE sql
 STABLE
AS $function$
  SELECT EXISTS (SELECT FROM pg_inherits WHERE inhparent = to_regclass('"outbox".' || parent)
                 AND inhrelid = to_regclass('"outbox".' || name))
$function$;
-- executable by the owner

CREATE OR REPLACE FUNCTION outbox.is_releasable(destination text, lane integer)
 RETURNS boolean
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  SELECT EXISTS (SELECT FROM "outbox".held_heads(is_releasable.destination, is_releasable.lane) h
                 WHERE (("outbox".holding_letter(is_releasable.destination, is_releasable.lane, h.ordering_key)).seq < h.seq) IS NOT TRUE)
$function$;
-- executable by the owner, outbox_relay

CREATE OR REPLACE FUNCTION outbox.is_wire(operation text, person_kind text, person text, name text, attributes text, at bigint)
 RETURNS boolean
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
AS $function$
  SELECT person_kind IN ('id', 'email', 'phone', 'cio_id') AND octet_length(person) <= 150 AND btrim(person) <> ''
    AND CASE WHEN operation IN ('track', 'trackPageView', 'trackScreen')
               THEN octet_length(name) <= 100 AND btrim(name) <> ''
             ELSE operation = 'identify' AND name IS NULL END
    AND (at IS NULL OR at BETWEEN 0 AND 9999999999)
    AND (attributes IS NULL OR octet_length(attributes) <= 32000 AND jsonb_typeof(attributes::jsonb) = 'object')
$function$;
-- executable by the owner

CREATE OR REPLACE FUNCTION outbox.keys_of(persons text[])
 RETURNS text[]
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  SELECT coalesce(array_agg(DISTINCT CASE i.kind WHEN 'email' THEN lower(i.value) ELSE i.value END), '{}')
  FROM unnest(persons) AS p(person), LATERAL "outbox".identifier_of(p.person) AS i
$function$;
-- executable by the owner

CREATE OR REPLACE FUNCTION outbox.known_destinations()
 RETURNS SETOF text
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
  RETURN QUERY
    SELECT w.name || '/' || a.api FROM "outbox".workspaces w, unnest('{track,app,broadcast,pipelines}'::text[]) AS a(api)
    UNION
    SELECT h.destination FROM "outbox".lane_heads h
    UNION
    SELECT b.destination FROM "outbox".breakers b
    ORDER BY 1;
END
$function$;
-- executable by the owner, outbox_operator

CREATE OR REPLACE FUNCTION outbox.lane_of(destination text, ordering_key text, priority text)
 RETURNS smallint
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
AS $function$
  SELECT ((hashtextextended(destination || '/' || ordering_key, 0) & 15)
          + CASE priority WHEN 'bulk' THEN 16 ELSE 0 END)::smallint
$function$;
-- executable by the owner, outbox_relay

CREATE OR REPLACE FUNCTION outbox.list_dead_letters(filter jsonb DEFAULT '{}'::jsonb, after_at timestamp with time zone DEFAULT NULL::timestamp with time zone, after_id uuid DEFAULT NULL::uuid, max integer DEFAULT 50)
 RETURNS SETOF outbox.dead_letters
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- executable by the owner, outbox_operator

CREATE OR REPLACE FUNCTION outbox.matching(kind text, filter jsonb, options jsonb)
 RETURNS text
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- executable by the owner

CREATE OR REPLACE FUNCTION outbox.matching_destinations(pattern text)
 RETURNS SETOF text
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  SELECT k.destination FROM "outbox".known_destinations() AS k(destination)
  WHERE k.destination LIKE
        replace(replace(replace(replace(pattern, '!', '!!'), '%', '!%'), '_', '!_'), '*', '%') ESCAPE '!'
  ORDER BY k.destination
$function$;
-- executable by the owner, outbox_operator

CREATE OR REPLACE FUNCTION outbox.name_of(operation text, payload jsonb)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
AS $function$
  SELECT left(CASE
    WHEN operation IN ('track', 'trackAnonymous', 'trackScreen') THEN payload ->> 'name'
    WHEN operation = 'trackPageView' THEN payload ->> 'path'
    WHEN operation = 'entity' THEN payload #>> '{entity,name}'
    WHEN operation = 'pipelines.track' THEN payload #>> '{message,event}'
    WHEN operation LIKE 'pipelines.%' THEN payload #>> '{message,name}'
    WHEN operation LIKE 'send%' THEN payload #>> '{message,transactional_message_id}'
    WHEN operation = 'triggerBroadcast' THEN payload ->> 'broadcastId'
  END, 500)
$function$;
-- executable by the owner

CREATE OR REPLACE FUNCTION outbox.new_id()
 RETURNS uuid
 LANGUAGE sql
 PARALLEL SAFE
AS $function$
  SELECT encode(
    set_bit(
      set_bit(
        overlay(uuid_send(gen_random_uuid())
          PLACING substring(int8send(floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3)
          FROM 1 FOR 6),
        52, 1),
      53, 1),
    'hex')::uuid
$function$;
-- executable by the owner

CREATE OR REPLACE FUNCTION outbox.normalize_ids(payload jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 IMMUTABLE PARALLEL SAFE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- executable by the owner

CREATE OR REPLACE FUNCTION outbox.notification_queue(OUT usage double precision, OUT holder_pid integer, OUT holder text)
 RETURNS record
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- executable by the owner, outbox_operator, outbox_relay, outbox_viewer

CREATE OR REPLACE FUNCTION outbox.notify(channel text, payload text)
 RETURNS boolean
 LANGUAGE sql
AS $function$
  SELECT CASE WHEN pg_notification_queue_usage() <= 0.5
    THEN pg_notify(channel, payload) IS NOT NULL ELSE false END
$function$;
-- executable by the owner, outbox_relay

CREATE OR REPLACE FUNCTION outbox.ordering_key_of(operation text, payload jsonb)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
AS $function$
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
$function$;
-- executable by the owner

CREATE OR REPLACE FUNCTION outbox.pause(destination text, reason text DEFAULT NULL::text)
 RETURNS boolean
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  v_now timestamptz := clock_timestamp();
  v_text text := nullif(btrim(regexp_replace(left(reason, 2000), '[[:space:][:cntrl:]]+', ' ', 'g')), '');
  v_reason text := left('paused by ' || session_user || coalesce(': ' || v_text, ''), 500);
  v_before "outbox".breakers;
BEGIN
  PERFORM "outbox".check_destination(destination);
  IF split_part(destination, '/', 1) <> 'default' THEN
    PERFORM "outbox".admit_workspace(split_part(destination, '/', 1));
  END IF;
  INSERT INTO "outbox".breakers (destination) VALUES (pause.destination)
  ON CONFLICT ON CONSTRAINT breakers_pkey DO NOTHING;
  SELECT b.* INTO v_before FROM "outbox".breakers b WHERE b.destination = pause.destination FOR UPDATE;
  IF v_before.state = 'paused' AND v_before.retry_at IS NULL THEN
    RETURN false;
  END IF;
  UPDATE "outbox".breakers b
  SET state = 'paused', opened_at = v_now, retry_at = NULL, probe_relay = NULL, probe_until = NULL,
      last_error = v_reason
  WHERE b.destination = pause.destination;
  INSERT INTO "outbox".breaker_transitions (destination, at, from_state, to_state, reason)
  VALUES (pause.destination, v_now, v_before.state, 'paused', v_reason);
  PERFORM "outbox".notify('outbox:wake', 'breaker');
  RETURN true;
END
$function$;
-- executable by the owner, outbox_operator

CREATE OR REPLACE FUNCTION outbox.pause_matching(pattern text, reason text DEFAULT NULL::text)
 RETURNS TABLE(destination text, paused boolean)
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
  FOR destination IN SELECT m FROM "outbox".matching_destinations(pattern) AS m LOOP
    paused := "outbox".pause(destination, reason);
    RETURN NEXT;
  END LOOP;
  IF NOT FOUND THEN
    PERFORM "outbox".refuse_unmatched(pattern);
  END IF;
END
$function$;
-- executable by the owner, outbox_operator

CREATE OR REPLACE FUNCTION outbox.payload_of(format smallint, operation text, payload json, enqueued_at timestamp with time zone)
 RETURNS jsonb
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- executable by the owner, outbox_relay

CREATE OR REPLACE FUNCTION outbox.people_of(payload jsonb)
 RETURNS text[]
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  SELECT coalesce(array_agg(DISTINCT CASE WHEN v #>> '{}' LIKE '%@%' THEN lower(v #>> '{}') ELSE v #>> '{}' END), '{}')
  FROM unnest('{$.customerId,$.anonymousId,$.identifiers.*,$.primary.*,$.secondary.*,$.entity.identifiers.*,$.entity.primary.*,
                $.entity.secondary.*,$.message.identifiers.*,$.message.to,$.message.userId,$.message.anonymousId,
                $.message.previousId,$.data.recipient}'::text[]) AS p(path),
    LATERAL jsonb_path_query(payload, btrim(p.path, E' \n')::jsonpath) AS v
  WHERE jsonb_typeof(v) IN ('string', 'number')
$function$;
-- executable by the owner

CREATE OR REPLACE FUNCTION outbox.planned(operation text, payload jsonb)
 RETURNS jsonb
 LANGUAGE sql
AS $function$ SELECT payload $function$;
-- executable by the owner

CREATE OR REPLACE FUNCTION outbox.preview(kind text, filter jsonb, options jsonb DEFAULT '{}'::jsonb, OUT intents bigint, OUT people bigint, OUT oldest timestamp with time zone, OUT newest timestamp with time zone, OUT stale_identifies bigint, OUT plan text)
 RETURNS record
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- executable by the owner, outbox_operator

CREATE OR REPLACE FUNCTION outbox.prune_archive()
 RETURNS integer
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '500ms'
AS $function$
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
$function$;
-- executable by the owner, outbox_relay

CREATE OR REPLACE FUNCTION outbox.prune_delivered(keep interval)
 RETURNS integer
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '500ms'
AS $function$
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
$function$;
-- executable by the owner, outbox_relay

CREATE OR REPLACE FUNCTION outbox.quote_for_error(value text)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  SELECT coalesce(quote_literal(regexp_replace(left(value, 80), '[[:cntrl:]]', '?', 'g')), 'NULL')
$function$;
-- executable by the owner

CREATE OR REPLACE FUNCTION outbox.readable_workspace(workspace text, operation text)
 RETURNS text
 LANGUAGE sql
AS $function$ SELECT workspace $function$;
-- executable by the owner

CREATE OR REPLACE FUNCTION outbox.refuse_envelope()
 RETURNS json
 LANGUAGE plpgsql
AS $function$
BEGIN
  RAISE EXCEPTION 'outbox: the payload is no envelope of an encrypted payload'
    USING ERRCODE = 'invalid_parameter_value',
          HINT = 'Enqueue from TypeScript, with createOutbox({ encryption }). An envelope is {"v":1,"key":"…","iv":"…","data":"…"} without spaces, of at most 44,000 bytes (4,010,000 for a message or broadcast). Arrays: all of one length.';
END
$function$;
-- executable by the owner

CREATE OR REPLACE FUNCTION outbox.refuse_readable(workspace text, operation text)
 RETURNS text
 LANGUAGE plpgsql
AS $function$
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
$function$;
-- executable by the owner

CREATE OR REPLACE FUNCTION outbox.refuse_unmatched(pattern text)
 RETURNS void
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  v_known text[] := ARRAY(SELECT k FROM "outbox".known_destinations() AS k);
BEGIN
  RAISE EXCEPTION 'outbox: % matches no known destination', "outbox".quote_for_error(pattern)
    USING ERRCODE = 'invalid_parameter_value',
          HINT = CASE WHEN cardinality(v_known) = 0 THEN 'No destination is known: no relay has run, and no intent waits.'
                      ELSE 'Known: ' || array_to_string(v_known[1:20], ', ')
                           || CASE WHEN cardinality(v_known) > 20 THEN format(' and %s more', cardinality(v_known) - 20)
                                   ELSE '' END || '.' END;
END
$function$;
-- executable by the owner

CREATE OR REPLACE FUNCTION outbox.refuse_wire()
 RETURNS json
 LANGUAGE plpgsql
AS $function$
BEGIN
  RAISE EXCEPTION 'outbox: the arguments are no operation that can be stored as wire text'
    USING ERRCODE = 'invalid_parameter_value',
          HINT = 'operation: identify, track, trackPageView or trackScreen. person_kind: id, email, phone or cio_id. person: 1 to 150 bytes. name: 1 to 100 bytes, NULL for identify. attributes: a JSON object of at most 32,000 bytes. occurred_at: Unix seconds. Arrays: all of one length.';
END
$function$;
-- executable by the owner

CREATE OR REPLACE FUNCTION outbox.register_workspaces(served text[])
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '500ms'
AS $function$
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
$function$;
-- executable by the owner, outbox_relay

CREATE OR REPLACE FUNCTION outbox.release_lane(destination text, lane integer)
 RETURNS boolean
 LANGUAGE sql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  INSERT INTO "outbox".lanes AS l (destination, lane, release_requests) VALUES (release_lane.destination, release_lane.lane, 1)
  ON CONFLICT ON CONSTRAINT lanes_pkey DO UPDATE SET release_requests = l.release_requests + 1;
  SELECT "outbox".wake_relays(release_lane.destination, release_lane.lane)
$function$;
-- executable by the owner

CREATE OR REPLACE FUNCTION outbox.require_encryption(workspaces text[])
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
  EXECUTE format('CREATE OR REPLACE FUNCTION "outbox".encrypted_workspaces() RETURNS text[] LANGUAGE sql STABLE AS %L',
                 format(' SELECT %L::text[] ', workspaces));
  EXECUTE format(
    'CREATE OR REPLACE FUNCTION "outbox".readable_workspace(workspace text, operation text) RETURNS text LANGUAGE sql VOLATILE AS %L',
    CASE WHEN cardinality(workspaces) = 0 THEN ' SELECT workspace '
         ELSE ' SELECT "outbox".refuse_readable(workspace, operation) ' END);
END
$function$;
-- executable by the owner

CREATE OR REPLACE FUNCTION outbox.resume(destination text)
 RETURNS text
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  v_now timestamptz := clock_timestamp();
  v_before "outbox".breakers;
BEGIN
  PERFORM "outbox".check_destination(destination);
  SELECT b.* INTO v_before FROM "outbox".breakers b WHERE b.destination = resume.destination FOR UPDATE;
  IF v_before.destination IS NULL OR v_before.state = 'closed' THEN
    RETURN 'unchanged';
  END IF;
  IF v_before.state = 'rejecting' OR v_before.state = 'paused' AND v_before.retry_at IS NULL THEN
    UPDATE "outbox".breakers b
    SET state = 'closed', failure_count = 0, last_error = NULL, opened_at = NULL, consecutive_opens = 0
    WHERE b.destination = resume.destination;
    INSERT INTO "outbox".breaker_transitions (destination, at, from_state, to_state, reason)
    VALUES (resume.destination, v_now, v_before.state, 'closed', 'resumed by ' || session_user);
    PERFORM "outbox".notify('outbox:wake', 'breaker');
    RETURN 'resumed';
  END IF;
  UPDATE "outbox".breakers b SET retry_at = v_now
  WHERE b.destination = resume.destination AND b.state IN ('open', 'paused') AND b.retry_at > v_now;
  PERFORM "outbox".notify('outbox:wake', 'breaker');
  RETURN 'probing';
END
$function$;
-- executable by the owner, outbox_operator

CREATE OR REPLACE FUNCTION outbox.resume_matching(pattern text)
 RETURNS TABLE(destination text, result text)
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
  FOR destination IN SELECT m FROM "outbox".matching_destinations(pattern) AS m LOOP
    result := "outbox".resume(destination);
    RETURN NEXT;
  END LOOP;
  IF NOT FOUND THEN
    PERFORM "outbox".refuse_unmatched(pattern);
  END IF;
END
$function$;
-- executable by the owner, outbox_operator

CREATE OR REPLACE FUNCTION outbox.role_drift()
 RETURNS TABLE(statement text)
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  WITH outbox_schema AS (
    SELECT nspname FROM pg_namespace WHERE oid = '"outbox"'::regnamespace
  ), role AS (
    SELECT r.name, outbox_schema.nspname || '_' || r.name AS rolname
    FROM outbox_schema, unnest('{enqueue,relay,viewer,operator}'::text[]) AS r(name)
  ), schema AS (
    SELECT n.oid, n.nspname, n.nspacl, n.nspowner, p.schema_suffix
    FROM outbox_schema, (VALUES (''), ('_pgboss')) AS p(schema_suffix), pg_namespace n
    WHERE n.nspname = outbox_schema.nspname || p.schema_suffix
  ), relation AS (
    SELECT s.schema_suffix, c.*, format('%I.%I', s.nspname, c.relname) AS target,
           CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END AS kind
    FROM pg_class c JOIN schema s ON s.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
  ), object AS (
    SELECT schema_suffix, 'SCHEMA' AS kind, '' AS name, NULL::name AS col, quote_ident(nspname) AS target,
           nspowner AS owner, nspacl AS acl
    FROM schema
    UNION ALL
    SELECT schema_suffix, kind, relname, NULL, target, relowner, relacl FROM relation
    UNION ALL
    SELECT r.schema_suffix, r.kind, r.relname, a.attname, r.target, r.relowner, a.attacl
    FROM relation r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT s.schema_suffix, CASE p.prokind WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END, p.proname, NULL,
           p.oid::regprocedure::text, p.proowner, coalesce(p.proacl, acldefault('f', p.proowner))
    FROM pg_proc p JOIN schema s ON s.oid = p.pronamespace
  ), wanted AS (
    SELECT o.kind, o.target, o.col, w.privilege, quote_ident(role.rolname) AS grantee
    FROM (SELECT unnest(roles) AS role, schema_suffix, kind, names, privileges, columns FROM "outbox".role_rights()) r
    JOIN role ON role.name = r.role
    CROSS JOIN LATERAL unnest(r.names) AS n(name)
    CROSS JOIN LATERAL unnest(r.privileges) AS w(privilege)
    CROSS JOIN LATERAL unnest(coalesce(r.columns, '{NULL}')) AS c(name)
    JOIN object o ON o.schema_suffix = r.schema_suffix AND o.kind = r.kind AND o.name = n.name AND o.col IS NOT DISTINCT FROM c.name
  ), granted AS (
    SELECT o.kind, o.target, o.col, a.privilege_type AS privilege,
           CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(r.rolname) END AS grantee,
           a.is_grantable AS grantable, CASE WHEN a.grantor <> o.owner THEN a.grantor::regrole::text END AS grantor
    FROM object o, LATERAL aclexplode(o.acl) a LEFT JOIN pg_roles r ON r.oid = a.grantee
    WHERE a.grantee = 0 OR r.rolname IN (SELECT rolname FROM role)
  ), compared AS (
    SELECT g.*, EXISTS (SELECT FROM wanted w
                        WHERE (w.kind, w.target, w.privilege, w.grantee) = (g.kind, g.target, g.privilege, g.grantee)
                          AND w.col IS NOT DISTINCT FROM g.col) AS is_wanted
    FROM granted g
  ), difference AS (
    -- CASCADE also revokes the right from roles to which the role has passed it. Without it the statement would fail.
    SELECT 4 AS step, CASE WHEN is_wanted THEN 'REVOKE GRANT OPTION FOR' ELSE 'REVOKE' END AS verb, 'FROM' AS preposition,
           kind, target, col, privilege, grantee, ' CASCADE' AS suffix, grantor
    FROM compared WHERE grantable OR NOT is_wanted
    UNION ALL
    SELECT 5, 'GRANT', 'TO', d.*, '', NULL
    FROM (TABLE wanted EXCEPT
          SELECT kind, target, col, privilege, grantee FROM granted WHERE grantor IS NULL) d
  ), change AS (
    SELECT step, grantor, format('%s %s ON %s %s %s %s%s', verb,
                        string_agg(privilege || coalesce(' (' || quote_ident(col) || ')', ''), ', ' ORDER BY privilege, col),
                        kind, target, preposition, grantee, suffix) AS statement
    FROM difference GROUP BY step, verb, preposition, kind, target, grantee, suffix, grantor
  )
  SELECT statement FROM (
    SELECT 1 AS step, format('CREATE ROLE %I NOLOGIN', rolname) AS statement
    FROM role WHERE NOT EXISTS (SELECT FROM pg_roles r WHERE r.rolname = role.rolname)
    UNION ALL
    SELECT 2, format('ALTER ROLE %I %s', rolname, concat_ws(' ',
             CASE WHEN rolsuper THEN 'NOSUPERUSER' END, CASE WHEN rolcreatedb THEN 'NOCREATEDB' END,
             CASE WHEN rolcreaterole THEN 'NOCREATEROLE' END, CASE WHEN rolcanlogin THEN 'NOLOGIN' END,
             CASE WHEN rolreplication THEN 'NOREPLICATION' END, CASE WHEN rolbypassrls THEN 'NOBYPASSRLS' END))
    FROM pg_roles WHERE rolname IN (SELECT rolname FROM role)
      AND (rolsuper OR rolcreatedb OR rolcreaterole OR rolcanlogin OR rolreplication OR rolbypassrls)
    UNION ALL
    -- Since PostgreSQL 16 a membership has a row for each grantor. It ends when the last row is revoked.
    SELECT 3, format('REVOKE %s FROM %I%s CASCADE', m.roleid::regrole, r.rolname,
                     CASE WHEN current_setting('server_version_num')::int >= 160000
                          THEN ' GRANTED BY ' || m.grantor::regrole END)
    FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.member WHERE r.rolname IN (SELECT rolname FROM role)
    UNION ALL
    SELECT step, coalesce('SET ROLE ' || grantor || '; ' || statement || '; RESET ROLE', statement) FROM change
  ) AS statements
  ORDER BY step, statement
$function$;
-- executable by the owner

CREATE OR REPLACE FUNCTION outbox.role_rights()
 RETURNS TABLE(roles text[], schema_suffix text, kind text, names text[], privileges text[], columns text[])
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  SELECT r.roles::text[], r.schema_suffix, r.kind, r.names::text[], r.privileges::text[], r.columns::text[]
  FROM (VALUES
    ('{enqueue,relay,viewer,operator}', '', 'SCHEMA', '{""}', '{USAGE}', NULL),

    -- The app enqueues, and reads nothing.
    ('{enqueue}', '', 'FUNCTION', '{enqueue,enqueue_many,enqueue_wire,enqueue_wire_with,enqueue_wire_many,enqueue_encrypted,enqueue_encrypted_many}', '{EXECUTE}', NULL),

    -- Operators and monitoring read the views, which have no payloads. The relay needs the views for its health endpoints.
    ('{viewer,operator,relay}', '', 'TABLE',
     '{backlog,breaker_state,dead_letter_summary,throughput,relay_fleet,health,action_status}', '{SELECT}', NULL),
    ('{viewer,operator,relay}', '', 'FUNCTION', '{estimate_dead_letters,check_origin,notification_queue}', '{EXECUTE}', NULL),
    ('{viewer,operator,relay}', '', 'TABLE', '{migrations}', '{SELECT}', NULL),
    ('{viewer,operator}', '', 'TABLE', '{breaker_transitions,event_plan}', '{SELECT}', NULL),
    ('{viewer,operator}', '', 'FUNCTION', '{encryption_keys_in_use,encrypted_workspaces}', '{EXECUTE}', NULL),

    -- The operator pauses and resumes, finds lanes that make no progress, and reads dead letters. Without the payload,
    -- no operator could decide what to do with an intent that was rejected or may have been sent.
    ('{operator}', '', 'FUNCTION', '{pause,resume,pause_matching,resume_matching,known_destinations,matching_destinations,
       preview,apply,cancel,find,timeline,list_dead_letters,edit_dead_letter,start_backfill,advance_backfill}', '{EXECUTE}', NULL),
    ('{operator,relay}', '', 'FUNCTION', '{accept_copy}', '{EXECUTE}', NULL),
    ('{operator}', '', 'TABLE', '{dead_letters,actions,history,lane_heads,lanes,unserved_workspaces}', '{SELECT}', NULL),

    -- The relay runs the statements in src/store. It reads neither payloads of dead letters nor rows of `delivered`. If a
    -- dead letter was put back into the queue and fails again, the relay finds the old one by its id and deletes it. It also
    -- reads which keys dead letters hold. The relay reads no intent id in dedup. FOR UPDATE needs UPDATE of one column.
    ('{relay}', '', 'TABLE', '{intents}', '{SELECT,INSERT,DELETE}', NULL),
    ('{relay}', '', 'TABLE', '{intents}', '{UPDATE}', '{lane,sending_at,attempts,retry_at}'),
    ('{relay}', '', 'TABLE', '{delivered,archive,dead_letters,breaker_transitions}', '{INSERT}', NULL),
    ('{relay}', '', 'TABLE', '{dead_letters}', '{SELECT}', '{id,destination,seq,ordering_key,priority,holds}'),
    ('{relay}', '', 'TABLE', '{dead_letters}', '{DELETE}', NULL),
    ('{relay}', '', 'TABLE', '{breaker_transitions}', '{SELECT}', '{at}'),
    ('{relay}', '', 'TABLE', '{breaker_transitions}', '{DELETE}', NULL),
    ('{relay}', '', 'TABLE', '{dedup}', '{SELECT}', '{workspace,key,expires_at}'),
    ('{relay}', '', 'TABLE', '{dedup}', '{UPDATE}', '{expires_at}'),
    ('{relay}', '', 'TABLE', '{dedup}', '{DELETE}', NULL),
    ('{relay}', '', 'TABLE', '{breakers,lanes,rate_limits}', '{SELECT,INSERT,UPDATE}', NULL),
    ('{relay}', '', 'TABLE', '{relays,settled_counts}', '{SELECT,INSERT,UPDATE,DELETE}', NULL),
    ('{relay}', '', 'TABLE', '{locks}', '{SELECT,UPDATE}', NULL), -- FOR UPDATE needs UPDATE
    ('{relay}', '', 'TABLE', '{lane_heads,lane_watermarks}', '{SELECT}', NULL),
    ('{relay}', '', 'SEQUENCE', '{notify_flag}', '{UPDATE}', NULL),
    ('{relay}', '', 'SEQUENCE', '{intents_seq_seq}', '{SELECT}', NULL),
    ('{relay}', '', 'FUNCTION', '{lane_of,payload_of,write_horizon,ensure_partitions,prune_delivered,notify,
       register_workspaces,summarize_delivered,run_action,fail_action,archive_drop_on,prune_archive,
       held_heads,holding_letter,is_releasable}',
     '{EXECUTE}', NULL),

    -- pg-boss: fetch, insert, touch, fail, delete and queues. No DDL.
    ('{relay}', '_pgboss', 'SCHEMA', '{""}', '{USAGE}', NULL),
    ('{relay}', '_pgboss', 'TABLE', '{job,queue}', '{SELECT,INSERT,UPDATE}', NULL),
    ('{relay}', '_pgboss', 'TABLE', '{job_common}', '{SELECT,INSERT,UPDATE,DELETE}', NULL),
    ('{relay}', '_pgboss', 'TABLE', '{version}', '{SELECT}', NULL),
    ('{relay}', '_pgboss', 'FUNCTION', '{job_now,create_queue}', '{EXECUTE}', NULL)
  ) AS r(roles, schema_suffix, kind, names, privileges, columns)
$function$;
-- executable by the owner

CREATE OR REPLACE FUNCTION outbox.run_action(action_id uuid, max integer, OUT kind text, OUT state text, OUT done integer, OUT processed bigint, OUT total bigint, OUT rate numeric)
 RETURNS record
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- executable by the owner, outbox_relay

CREATE OR REPLACE FUNCTION outbox.run_dead_letters(action outbox.actions, max integer, OUT done integer, OUT next jsonb)
 RETURNS record
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- executable by the owner

CREATE OR REPLACE FUNCTION outbox.run_erase(action outbox.actions, OUT done integer, OUT receipt jsonb)
 RETURNS record
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET enable_seqscan TO 'off'
AS $function$
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
$function$;
-- executable by the owner

CREATE OR REPLACE FUNCTION outbox.run_pending(action outbox.actions, max integer, OUT done integer, OUT next jsonb)
 RETURNS record
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- executable by the owner

CREATE OR REPLACE FUNCTION outbox.run_replay(action outbox.actions, max integer, OUT done integer, OUT next jsonb)
 RETURNS record
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- executable by the owner

CREATE OR REPLACE FUNCTION outbox.start_backfill(source jsonb, total bigint, reason text DEFAULT NULL::text)
 RETURNS uuid
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  INSERT INTO "outbox".actions (action_id, kind, filter, options, plan, state, total, requested_by, reason, requested_at, started_at)
  VALUES ("outbox".new_id(), 'backfill', source, '{}', 'backfill', 'running', total, session_user,
          nullif(btrim(regexp_replace(left(reason, 500), '[[:space:][:cntrl:]]+', ' ', 'g')), ''), clock_timestamp(),
          clock_timestamp())
  RETURNING action_id
$function$;
-- executable by the owner, outbox_operator

CREATE OR REPLACE FUNCTION outbox.summarize_delivered()
 RETURNS integer
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '500ms'
AS $function$
  SELECT coalesce(sum(brin_summarize_new_values(i.indexrelid)), 0)::integer
  FROM pg_inherits p JOIN pg_index i ON i.indrelid = p.inhrelid
    JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am a ON a.oid = c.relam
  WHERE p.inhparent IN ('"outbox".delivered'::regclass, '"outbox".archive'::regclass) AND a.amname = 'brin'
$function$;
-- executable by the owner, outbox_relay

CREATE OR REPLACE FUNCTION outbox.timeline(person text, until timestamp with time zone DEFAULT NULL::timestamp with time zone)
 RETURNS TABLE(state text, id uuid, destination text, operation text, name text, written_at timestamp with time zone, at timestamp with time zone, payload jsonb, detail text)
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET enable_seqscan TO 'off'
AS $function$
DECLARE
  v_keys text[] := "outbox".keys_of(ARRAY[person]);
  v_until timestamptz := coalesce(until, 'infinity');
BEGIN
  IF person IS NULL OR btrim(person) = '' THEN
    RAISE EXCEPTION 'outbox: timeline needs a person: an id, email, phone or cio_id' USING ERRCODE = 'invalid_parameter_value';
  END IF;
  RETURN QUERY
  WITH kept AS MATERIALIZED (
    SELECT a.*, "outbox".payload_of(a.format, a.operation, a.payload, a.enqueued_at) AS content
    FROM "outbox".archive a WHERE a.ordering_key = ANY (v_keys) AND a.enqueued_at <= v_until
  ), own AS (
    SELECT 'kept' AS state, k.id, k.destination, k.operation, k.name, k.enqueued_at AS written_at, k.delivered_at AS at,
           k.content, NULL AS detail, k.seq
    FROM kept k
    UNION ALL
    SELECT CASE p.lane WHEN -1 THEN 'scheduled' ELSE 'pending' END, p.id, p.destination, p.operation, p.name, p.enqueued_at, NULL,
           "outbox".payload_of(p.format, p.operation, p.payload, p.enqueued_at), "outbox".why_pending(p), p.seq
    FROM "outbox".find_pending(v_keys, '{}', 10000) p WHERE p.enqueued_at <= v_until
    UNION ALL
    SELECT 'dead', d.id, d.destination, d.operation, d.name, d.enqueued_at, d.dead_at, d.payload,
           concat_ws(': ', d.reason, nullif(concat_ws(' ', d.status, d.field, d.message), '')), d.seq
    FROM "outbox".dead_letters d WHERE d.ordering_key = ANY (v_keys) AND d.enqueued_at <= v_until
  ), row AS (
    SELECT o.* FROM own o WHERE "outbox".people_of(o.content) && v_keys
    UNION ALL
    -- An intent that was replayed has two rows in delivered.
    SELECT DISTINCT ON (d.id) CASE d.outcome WHEN 'delivered' THEN 'not_kept' ELSE d.outcome END, d.id, d.destination, d.operation,
           d.name, d.enqueued_at, d.delivered_at, NULL::jsonb, NULL, d.seq
    FROM "outbox".delivered d
    WHERE d.ordering_key = ANY (v_keys) AND d.enqueued_at <= v_until AND NOT EXISTS (SELECT FROM own o WHERE o.id = d.id)
    UNION ALL
    -- The first row by seq of each workspace: the archive has no index on the time of delivery.
    SELECT 'first_kept', NULL, w.name, NULL, NULL, NULL, f.delivered_at, NULL, NULL, 0
    FROM (SELECT w.name FROM "outbox".workspaces w UNION VALUES ('default')) w,
      LATERAL (SELECT a.delivered_at FROM "outbox".archive a
               WHERE a.destination = ANY (ARRAY(SELECT w.name || '/' || api FROM unnest('{track,app,broadcast,pipelines}'::text[]) AS api))
               ORDER BY a.seq LIMIT 1) f
  )
  SELECT r.state, r.id, r.destination, r.operation, r.name, r.written_at, r.at, r.content, r.detail
  FROM row r ORDER BY r.written_at NULLS FIRST, r.seq;
END
$function$;
-- executable by the owner, outbox_operator

CREATE OR REPLACE FUNCTION outbox.wake_relays(destination text, lane integer)
 RETURNS boolean
 LANGUAGE sql
AS $function$
  SELECT CASE WHEN pg_sequence_last_value('"outbox".notify_flag'::regclass) = 2
    THEN "outbox".notify('outbox:wake', coalesce(destination || '#' || lane, '')) ELSE false END
$function$;
-- executable by the owner

CREATE OR REPLACE FUNCTION outbox.why_pending(intent outbox.intents)
 RETURNS text
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "DateStyle" TO 'ISO'
AS $function$
DECLARE
  v_now timestamptz := clock_timestamp();
  v_breaker "outbox".breakers;
  v_first uuid;
  v_ahead bigint;
  v_lane integer := CASE WHEN intent.lane < -1 THEN -2 - intent.lane ELSE intent.lane END;
  v_letter record;
BEGIN
  IF intent.lane = -1 AND intent.send_after > v_now THEN
    RETURN format('scheduled for %s', date_trunc('second', intent.send_after));
  END IF;
  SELECT l.* INTO v_letter FROM "outbox".holding_letter(intent.destination, v_lane, intent.ordering_key) l;
  SELECT b.* INTO v_breaker FROM "outbox".breakers b WHERE b.destination = intent.destination;
  SELECT i.id INTO v_first FROM "outbox".intents i
  WHERE i.destination = intent.destination AND i.lane = intent.lane AND i.seq < intent.seq AND i.ordering_key = intent.ordering_key
  ORDER BY i.seq LIMIT 1;
  SELECT count(*) INTO v_ahead FROM (
    SELECT FROM "outbox".intents i WHERE i.destination = intent.destination AND i.lane = intent.lane AND i.seq < intent.seq
    LIMIT 10001) AS ahead;
  RETURN concat_ws('; ',
    CASE WHEN NOT EXISTS (SELECT FROM "outbox".relays r WHERE r.last_seen_at > now() - interval '30 seconds')
         THEN 'no relay is running' END,
    CASE WHEN NOT EXISTS (SELECT FROM "outbox".workspaces w WHERE w.name = split_part(intent.destination, '/', 1))
         THEN format('no relay has credentials for workspace %s', quote_literal(split_part(intent.destination, '/', 1))) END,
    CASE WHEN v_letter.seq < intent.seq THEN
           format('held behind dead letter %s of the same key, until it is redriven or discarded', v_letter.id)
         WHEN intent.lane < -1 THEN 'held until a relay works on its lane: the dead letter before it is gone' END,
    CASE WHEN v_breaker.state <> 'closed' THEN format('the breaker of %s is %s: %s%s', intent.destination, v_breaker.state,
           v_breaker.last_error, coalesce(', next try at ' || date_trunc('second', v_breaker.retry_at), '')) END,
    CASE WHEN v_breaker.rate_limited_until > v_now
         THEN format('rate limited until %s', date_trunc('second', v_breaker.rate_limited_until)) END,
    CASE WHEN intent.sending_at IS NOT NULL
         THEN format('its request began at %s and has no known outcome yet', date_trunc('second', intent.sending_at)) END,
    CASE WHEN intent.attempts > 0 THEN format('%s of its requests failed%s', intent.attempts,
           coalesce(', next one at ' || date_trunc('second', intent.retry_at), '')) END,
    CASE WHEN v_first IS NOT NULL THEN format('waits behind %s of the same key', v_first) END,
    CASE WHEN intent.lane < -1 THEN NULL
         WHEN v_ahead > 10000 THEN format('more than 10000 intents are before it in lane %s', intent.lane)
         ELSE format('%s intents are before it in lane %s', v_ahead, intent.lane) END);
END
$function$;
-- executable by the owner

CREATE OR REPLACE FUNCTION outbox.wire_key(person_kind text, person text)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
AS $function$
  SELECT CASE person_kind WHEN 'email' THEN lower(person) ELSE person END
$function$;
-- executable by the owner

CREATE OR REPLACE FUNCTION outbox.wire_of(operation text, person_kind text, person text, name text, attributes text, at bigint)
 RETURNS text
 LANGUAGE sql
 STABLE PARALLEL SAFE
AS $function$
  SELECT CASE operation WHEN 'identify' THEN '{' ELSE '{"id":"00000000000000000000000000",' END
    || '"timestamp":' || at || ',"type":"person","action":"'
    || CASE operation WHEN 'identify' THEN 'identify' WHEN 'track' THEN 'event'
                      WHEN 'trackPageView' THEN 'page' WHEN 'trackScreen' THEN 'screen' END
    || '","identifiers":{"' || person_kind || '":' || to_json(person)::text || '}'
    || CASE operation WHEN 'identify' THEN '' ELSE ',"name":' || to_json(name)::text END
    || coalesce(',"attributes":' || attributes, '') || '}'
$function$;
-- executable by the owner

CREATE OR REPLACE FUNCTION outbox.workspace_in_use(name text)
 RETURNS boolean
 LANGUAGE sql
 STABLE
AS $function$
  SELECT EXISTS (
    SELECT FROM unnest('{track,app,broadcast,pipelines}'::text[]) AS a(api)
    -- LIMIT 1, because EXISTS would become a semi-join with a scan of the whole queue.
    WHERE (SELECT true FROM "outbox".intents i WHERE i.destination = workspace_in_use.name || '/' || api ORDER BY i.lane, i.seq LIMIT 1)
       OR EXISTS (SELECT FROM "outbox".breakers b WHERE b.destination = workspace_in_use.name || '/' || api AND b.state <> 'closed'))
$function$;
-- executable by the owner

CREATE OR REPLACE FUNCTION outbox.write_horizon(OUT last_seq bigint, OUT writers text[])
 RETURNS record
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- executable by the owner, outbox_relay

CREATE VIEW outbox.action_status AS
 SELECT action_id,
    kind,
    state,
    total,
    processed,
    requested_by,
    reason,
    requested_at,
    finished_at,
    error,
        CASE
            WHEN ((state = ANY (ARRAY['queued'::text, 'running'::text])) AND (kind <> 'backfill'::text) AND (NOT (EXISTS ( SELECT
               FROM outbox.relays r
              WHERE (r.last_seen_at > (now() - '00:00:30'::interval)))))) THEN 'no relay is running'::text
            ELSE NULL::text
        END AS waiting,
    started_at,
    result
   FROM outbox.actions a;

CREATE VIEW outbox.backlog AS
 WITH head AS MATERIALIZED (
         SELECT lane_heads.destination,
            lane_heads.lane,
            lane_heads.seq,
            lane_heads.due_at
           FROM outbox.lane_heads
        ), sample AS (
         SELECT h_1.destination,
            h_1.lane,
            h_1.seq,
            h_1.due_at,
            f.count,
            f.to_seq
           FROM head h_1,
            LATERAL ( SELECT count(*) AS count,
                    max(c_1.seq) AS to_seq
                   FROM ( SELECT i.seq
                           FROM outbox.intents i
                          WHERE ((i.destination = h_1.destination) AND (i.lane = h_1.lane) AND (i.seq >= h_1.seq))
                          ORDER BY i.seq
                         LIMIT 6251) c_1) f
        ), destinations AS (
         SELECT sample.destination,
            min(sample.due_at) FILTER (WHERE (sample.lane >= 0)) AS oldest_pending_at,
            (COALESCE(sum(sample.count) FILTER (WHERE (sample.lane >= 0)), (0)::numeric))::bigint AS pending,
            COALESCE(bool_or((sample.count > 6250)) FILTER (WHERE (sample.lane >= 0)), false) AS more_pending,
            (COALESCE(sum(sample.count) FILTER (WHERE (sample.lane = '-1'::integer)), (0)::numeric))::bigint AS scheduled,
            COALESCE(bool_or((sample.count > 6250)) FILTER (WHERE (sample.lane = '-1'::integer)), false) AS more_scheduled
           FROM sample
          GROUP BY sample.destination
        ), counted AS (
         SELECT d.destination,
            d.oldest_pending_at,
                CASE
                    WHEN (d.more_pending AND (d.pending <= 100000)) THEN ( SELECT count(*) AS count
                       FROM ( SELECT 1 AS "?column?"
                               FROM head h_1,
                                LATERAL ( SELECT 1 AS "?column?"
                                       FROM outbox.intents i_1
                                      WHERE ((i_1.destination = h_1.destination) AND (i_1.lane = h_1.lane) AND (i_1.seq >= h_1.seq))
                                      ORDER BY i_1.seq
                                     LIMIT 100001) i
                              WHERE ((h_1.destination = d.destination) AND (h_1.lane >= 0))
                             LIMIT 100001) c_1)
                    ELSE d.pending
                END AS pending,
                CASE
                    WHEN d.more_scheduled THEN ( SELECT count(*) AS count
                       FROM ( SELECT 1 AS "?column?"
                               FROM outbox.intents i
                              WHERE ((i.destination = d.destination) AND (i.lane = '-1'::integer))
                             LIMIT 100001) c_1)
                    ELSE d.scheduled
                END AS scheduled
           FROM destinations d
        ), held AS (
         SELECT w.destination,
            ( SELECT count(*) AS count
                   FROM ( SELECT 1 AS "?column?"
                           FROM outbox.intents i
                          WHERE ((i.destination = w.destination) AND (i.lane < '-1'::integer))
                         LIMIT 100001) c_1) AS count
           FROM ( SELECT DISTINCT lanes.destination
                   FROM outbox.lanes) w
        )
 SELECT destination,
        CASE
            WHEN (c.pending > 100000) THEN GREATEST(c.pending, (( SELECT sum(((s.count)::double precision * GREATEST((1)::double precision, (((l.seq - s.seq))::double precision / (GREATEST((1)::bigint, (s.to_seq - s.seq)))::double precision)))) AS sum
               FROM sample s,
                LATERAL ( SELECT i.seq
                       FROM outbox.intents i
                      WHERE ((i.destination = s.destination) AND (i.lane = s.lane) AND (i.seq >= s.seq))
                      ORDER BY i.seq DESC
                     LIMIT 1) l
              WHERE ((s.destination = c.destination) AND (s.lane >= 0))))::bigint)
            ELSE COALESCE(c.pending, (0)::bigint)
        END AS pending,
    COALESCE(c.scheduled, (0)::bigint) AS scheduled,
    COALESCE(h.count, (0)::bigint) AS held,
    c.oldest_pending_at,
    (COALESCE(GREATEST((0)::numeric, EXTRACT(epoch FROM (clock_timestamp() - c.oldest_pending_at))), (0)::numeric))::double precision AS lag_seconds,
    COALESCE((c.pending > 100000), false) AS estimated
   FROM (counted c
     FULL JOIN ( SELECT held.destination,
            held.count
           FROM held
          WHERE (held.count > 0)) h USING (destination));

CREATE VIEW outbox.breaker_state AS
 SELECT destination,
    state,
    failure_count,
    last_failure_at,
    last_error,
    opened_at,
        CASE
            WHEN ((state = 'rejecting'::text) OR ((state = 'paused'::text) AND (retry_at IS NULL))) THEN NULL::timestamp with time zone
            ELSE GREATEST(retry_at, rate_limited_until)
        END AS retry_at
   FROM outbox.breakers;

CREATE VIEW outbox.dead_letter_summary AS
 WITH RECURSIVE kind AS (
        ( SELECT d.destination,
            d.operation,
            d.reason,
            d.dead_at AS oldest
           FROM outbox.dead_letters d
          ORDER BY d.destination, d.operation, d.reason, d.dead_at
         LIMIT 1)
        UNION ALL
         SELECT n.destination,
            n.operation,
            n.reason,
            n.dead_at
           FROM kind k,
            LATERAL ( SELECT d.destination,
                    d.operation,
                    d.reason,
                    d.dead_at
                   FROM outbox.dead_letters d
                  WHERE (ROW(d.destination, d.operation, d.reason) > ROW(k.destination, k.operation, k.reason))
                  ORDER BY d.destination, d.operation, d.reason, d.dead_at
                 LIMIT 1) n
        ), counted AS MATERIALIZED (
         SELECT k.destination,
            k.operation,
            k.reason,
            k.oldest,
            ( SELECT count(*) AS count
                   FROM ( SELECT 1 AS "?column?"
                           FROM outbox.dead_letters d
                          WHERE ((d.destination = k.destination) AND (d.operation = k.operation) AND (d.reason = k.reason))
                         LIMIT 10001) c) AS count,
            ( SELECT d.dead_at
                   FROM outbox.dead_letters d
                  WHERE ((d.destination = k.destination) AND (d.operation = k.operation) AND (d.reason = k.reason))
                  ORDER BY d.dead_at DESC
                 LIMIT 1) AS newest
           FROM kind k
        )
 SELECT destination,
    operation,
    reason,
        CASE
            WHEN (count > 10000) THEN GREATEST(count, outbox.estimate_dead_letters(destination, operation, reason))
            ELSE count
        END AS count,
    oldest,
    newest,
    (count > 10000) AS estimated
   FROM counted;

CREATE VIEW outbox.health AS
 WITH live_relays AS (
         SELECT count(*) AS relays,
            max(relays.format) AS format
           FROM outbox.relays
          WHERE ((relays.last_seen_at > (now() - '00:00:30'::interval)) AND (relays.last_seen_at <= clock_timestamp()))
        ), lane_head AS MATERIALIZED (
         SELECT lane_heads.destination,
            lane_heads.lane,
            lane_heads.due_at,
            lane_heads.format,
            lane_heads.encryption_key
           FROM outbox.lane_heads
        ), due_head AS (
         SELECT lane_head.destination,
            lane_head.due_at,
            lane_head.format,
            lane_head.encryption_key
           FROM lane_head
          WHERE (lane_head.lane >= 0)
        ), behind AS (
         SELECT due_head.destination,
            EXTRACT(epoch FROM (clock_timestamp() - min(due_head.due_at))) AS lag_seconds
           FROM due_head
          GROUP BY due_head.destination
        ), recent_dead_letters AS (
         SELECT d.destination,
            count(*) AS count
           FROM ( SELECT dead_letters.destination
                   FROM outbox.dead_letters
                  WHERE (dead_letters.dead_at > (now() - '01:00:00'::interval))
                 LIMIT 100001) d
          GROUP BY d.destination
        ), origin AS MATERIALIZED (
         SELECT check_origin.is_copy,
            check_origin.origin_name
           FROM outbox.check_origin() check_origin(is_copy, origin_system, origin_oid, origin_name, current_system, current_oid, current_name)
        ), reasons AS (
         SELECT 1 AS severity,
            'no relay is running, and intents are due: start customerio-outbox relay'::text AS reason
           FROM live_relays
          WHERE ((live_relays.relays = 0) AND (EXISTS ( SELECT 1
                   FROM behind)) AND (NOT ( SELECT origin.is_copy
                   FROM origin)))
        UNION ALL
         SELECT 2,
            'no relay is running'::text
           FROM live_relays
          WHERE ((live_relays.relays = 0) AND (NOT (EXISTS ( SELECT 1
                   FROM behind))) AND (NOT ( SELECT origin.is_copy
                   FROM origin)))
        UNION ALL
         SELECT
                CASE
                    WHEN ((EXISTS ( SELECT 1
                       FROM behind)) AND ( SELECT (count(*) = min(a.relays))
                       FROM outbox.relays f,
                        live_relays a
                      WHERE ((f.last_seen_at > (now() - '00:00:30'::interval)) AND (f.polls_failing_since IS NOT NULL)))) THEN 1
                    ELSE 2
                END AS "case",
            format('relay %s on host %s cannot poll since %s: %s'::text, relays.relay_id, relays.host, to_char(relays.polls_failing_since, 'YYYY-MM-DD HH24:MI:SS TZ'::text), relays.poll_error) AS format
           FROM outbox.relays
          WHERE ((relays.last_seen_at > (now() - '00:00:30'::interval)) AND (relays.polls_failing_since IS NOT NULL))
        UNION ALL
         SELECT 2,
            format('%s has %s scheduled %s with an infinite send_after, which no relay will send: delete them, or set a time'::text, h.destination,
                CASE
                    WHEN (f.count > 1000) THEN 'more than 1000'::text
                    ELSE (f.count)::text
                END,
                CASE f.count
                    WHEN 1 THEN 'intent'::text
                    ELSE 'intents'::text
                END) AS format
           FROM lane_head h,
            LATERAL ( SELECT count(*) AS count
                   FROM ( SELECT
                           FROM outbox.intents i
                          WHERE ((i.destination = h.destination) AND (i.lane = '-1'::integer) AND (i.send_after = 'infinity'::timestamp with time zone))
                         LIMIT 1001) infinite) f
          WHERE ((h.lane = '-1'::integer) AND (f.count > 0))
        UNION ALL
         SELECT 2,
            format('%s is %s since %s: %s'::text, breakers.destination, breakers.state, to_char(breakers.opened_at, 'YYYY-MM-DD HH24:MI:SS TZ'::text), breakers.last_error) AS format
           FROM outbox.breakers
          WHERE (breakers.state <> 'closed'::text)
        UNION ALL
         SELECT 2,
            format('%s is %s s behind'::text, behind.destination, round(behind.lag_seconds)) AS format
           FROM behind
          WHERE (behind.lag_seconds > (60)::numeric)
        UNION ALL
         SELECT 2,
            format('%s has intents of row format %s that no running relay knows: upgrade the relays'::text, h.destination, max(h.format)) AS format
           FROM due_head h,
            live_relays a
          WHERE (h.format > a.format)
          GROUP BY h.destination
        UNION ALL
         SELECT 2,
            format('%s has intents that were encrypted with key %s, which no running relay has: add it to OUTBOX_ENCRYPTION_KEYS of the relays'::text, h.destination, "left"(h.encryption_key, 40)) AS format
           FROM due_head h,
            live_relays a
          WHERE ((h.format <= a.format) AND (h.encryption_key IS NOT NULL) AND (a.relays > 0) AND (NOT (EXISTS ( SELECT
                   FROM outbox.relays r
                  WHERE ((r.last_seen_at > (now() - '00:00:30'::interval)) AND (r.last_seen_at <= clock_timestamp()) AND (r.format >= 3) AND ((r.encryption_keys IS NULL) OR (h.encryption_key = ANY (r.encryption_keys))))))))
          GROUP BY h.destination, ("left"(h.encryption_key, 40))
        UNION ALL
         SELECT 2,
                CASE
                    WHEN (( SELECT sum(recent_dead_letters_1.count) AS sum
                       FROM recent_dead_letters recent_dead_letters_1) > (100000)::numeric) THEN format('%s has more than %s dead letters of the last hour'::text, recent_dead_letters.destination, recent_dead_letters.count)
                    ELSE format('%s has %s dead %s of the last hour'::text, recent_dead_letters.destination, recent_dead_letters.count,
                    CASE recent_dead_letters.count
                        WHEN 1 THEN 'letter'::text
                        ELSE 'letters'::text
                    END)
                END AS format
           FROM recent_dead_letters
        UNION ALL
         SELECT 2,
            format('%s holds the later intents of %s%s %s behind dead letters: redrive or discard these'::text, d.destination,
                CASE
                    WHEN (sum(count(*)) OVER () > (10000)::numeric) THEN 'more than '::text
                    ELSE ''::text
                END, count(DISTINCT d.ordering_key),
                CASE count(DISTINCT d.ordering_key)
                    WHEN 1 THEN 'key'::text
                    ELSE 'keys'::text
                END) AS format
           FROM ( SELECT dead_letters.destination,
                    dead_letters.ordering_key
                   FROM outbox.dead_letters
                  WHERE dead_letters.holds
                 LIMIT 10001) d
          GROUP BY d.destination
        UNION ALL
         SELECT 2,
            format('%s has delivered %s intents in the last hour that were over 72 h old: such events trigger no campaign'::text, settled_counts.destination, sum(settled_counts.count)) AS format
           FROM outbox.settled_counts
          WHERE ((settled_counts.bin = '-2'::integer) AND (settled_counts.minute > (now() - '01:00:00'::interval)))
          GROUP BY settled_counts.destination
        UNION ALL
         SELECT 2,
            format('this database is a copy of %s, and no relay sends from it: see docs/backups.md'::text, COALESCE(quote_ident(origin.origin_name), 'another'::text)) AS format
           FROM origin
          WHERE origin.is_copy
        UNION ALL
         SELECT 2,
            format('delivered has no partition for today, %s UTC: a relay makes it with the next delivery; until then nothing can be settled'::text, ((now() AT TIME ZONE 'UTC'::text))::date) AS format
          WHERE (to_regclass(('"outbox".delivered_'::text || to_char((now() AT TIME ZONE 'UTC'::text), 'YYYYMMDD'::text))) IS NULL)
        UNION ALL
         SELECT 2,
            format('the server''s queue of notifications is %s %% full, relays poll; when it is full, every COMMIT after a NOTIFY fails: %s'::text, round((notification_queue.usage * (100)::double precision)), notification_queue.holder) AS format
           FROM outbox.notification_queue() notification_queue(usage, holder_pid, holder)
          WHERE (notification_queue.usage > (0.5)::double precision)
        UNION ALL
         SELECT 2,
            format('%s has %s scheduled %s overdue by %s s'::text, h.destination,
                CASE
                    WHEN (o.count > 1000) THEN 'more than 1000'::text
                    ELSE (o.count)::text
                END,
                CASE o.count
                    WHEN 1 THEN 'intent'::text
                    ELSE 'intents'::text
                END, round(EXTRACT(epoch FROM (clock_timestamp() - o.since)))) AS format
           FROM lane_head h,
            LATERAL ( SELECT count(*) AS count,
                    min(overdue.send_after) AS since
                   FROM ( SELECT i.send_after
                           FROM outbox.intents i
                          WHERE ((i.destination = h.destination) AND (i.lane = '-1'::integer) AND (i.send_after > '-infinity'::timestamp with time zone) AND (i.send_after < (now() - '00:01:00'::interval)))
                          ORDER BY i.send_after
                         LIMIT 1001) overdue) o
          WHERE ((h.lane = '-1'::integer) AND (o.count > 0))
        )
 SELECT
        CASE min(severity)
            WHEN 1 THEN 'down'::text
            WHEN 2 THEN 'degraded'::text
            ELSE 'ok'::text
        END AS status,
    (COALESCE((array_agg(reason ORDER BY severity, reason))[1:50], '{}'::text[]) ||
        CASE
            WHEN (count(*) > 50) THEN ARRAY[format('… and %s more'::text, (count(*) - 50))]
            ELSE '{}'::text[]
        END) AS reasons
   FROM reasons;

CREATE VIEW outbox.lane_heads AS
 WITH RECURSIVE lane_watermark AS MATERIALIZED (
         SELECT lane_watermarks.destination,
            lane_watermarks.lane,
            lane_watermarks.watermark
           FROM outbox.lane_watermarks
        ), worked AS MATERIALIZED (
         SELECT w.destination,
            lag(w.destination, 1, ''::text) OVER (ORDER BY w.destination) AS previous
           FROM ( SELECT DISTINCT lane_watermark.destination
                   FROM lane_watermark) w
        ), between_worked AS (
         SELECT d.destination AS upper,
            n.destination,
            n.lane
           FROM worked d,
            LATERAL ( SELECT i.destination,
                    i.lane
                   FROM outbox.intents i
                  WHERE ((i.destination > d.previous) AND (i.destination < d.destination))
                  ORDER BY i.destination, i.lane
                 LIMIT 1) n
        UNION ALL
         SELECT b.upper,
            n.destination,
            n.lane
           FROM between_worked b,
            LATERAL ( SELECT i.destination,
                    i.lane
                   FROM outbox.intents i
                  WHERE ((ROW(i.destination, i.lane) > ROW(b.destination, b.lane)) AND (i.destination < b.upper))
                  ORDER BY i.destination, i.lane
                 LIMIT 1) n
        ), after_worked AS (
        ( SELECT i.destination,
            i.lane
           FROM outbox.intents i
          WHERE (i.destination > ( SELECT COALESCE(max(worked.destination), ''::text) AS "coalesce"
                   FROM worked))
          ORDER BY i.destination, i.lane
         LIMIT 1)
        UNION ALL
         SELECT n.destination,
            n.lane
           FROM after_worked b,
            LATERAL ( SELECT i.destination,
                    i.lane
                   FROM outbox.intents i
                  WHERE (ROW(i.destination, i.lane) > ROW(b.destination, b.lane))
                  ORDER BY i.destination, i.lane
                 LIMIT 1) n
        ), candidate AS (
         SELECT d.destination,
            (n.lane)::smallint AS lane,
            COALESCE(w.watermark, (0)::bigint) AS watermark
           FROM ((worked d
             CROSS JOIN generate_series('-1'::integer, 31) n(lane))
             LEFT JOIN lane_watermark w ON (((w.destination = d.destination) AND (w.lane = n.lane))))
        UNION ALL
         SELECT between_worked.destination,
            between_worked.lane,
            0
           FROM between_worked
        UNION ALL
         SELECT after_worked.destination,
            after_worked.lane,
            0
           FROM after_worked
        )
 SELECT c.destination,
    c.lane,
    h.seq,
        CASE
            WHEN isfinite(h.due_at) THEN h.due_at
            ELSE NULL::timestamp with time zone
        END AS due_at,
    h.format,
    c.watermark,
    h.encryption_key
   FROM candidate c,
    LATERAL ( SELECT i.seq,
            GREATEST(i.send_after, i.enqueued_at) AS due_at,
            i.format,
                CASE i.format
                    WHEN 3 THEN "left"((i.payload ->> 'key'::text), 400)
                    ELSE NULL::text
                END AS encryption_key
           FROM outbox.intents i
          WHERE ((i.destination = c.destination) AND (i.lane = c.lane) AND (i.seq > c.watermark))
          ORDER BY i.seq
         LIMIT 1) h
  WHERE (c.lane >= '-1'::integer);

CREATE VIEW outbox.lane_watermarks AS
 SELECT destination,
    lane,
        CASE
            WHEN (EXISTS ( SELECT
               FROM unnest(lanes.provisional_xids) xid(xid)
              WHERE pg_visible_in_snapshot(((xid.xid)::text)::xid8, pg_current_snapshot()))) THEN watermark
            ELSE provisional_watermark
        END AS watermark,
    release_requests
   FROM outbox.lanes;

CREATE VIEW outbox.relay_fleet AS
 SELECT relay_id,
    host,
    version,
    started_at,
    last_seen_at,
    (( SELECT count(*) AS count
           FROM outbox.lanes l
          WHERE (l.relay_id = r.relay_id)))::integer AS lanes_held,
    schema_version
   FROM outbox.relays r;

CREATE VIEW outbox.throughput AS
 WITH per_bin AS (
         SELECT settled_counts.destination,
            settled_counts.minute,
            settled_counts.bin,
            sum(settled_counts.count) AS count,
            sum(sum(settled_counts.count)) FILTER (WHERE (settled_counts.bin >= 0)) OVER (PARTITION BY settled_counts.destination, settled_counts.minute ORDER BY settled_counts.bin) AS up_to,
            sum(sum(settled_counts.count)) FILTER (WHERE (settled_counts.bin >= 0)) OVER (PARTITION BY settled_counts.destination, settled_counts.minute) AS delivered
           FROM outbox.settled_counts
          WHERE ((settled_counts.minute > (now() - '01:00:00'::interval)) AND (settled_counts.minute <= clock_timestamp()))
          GROUP BY settled_counts.destination, settled_counts.minute, settled_counts.bin
        )
 SELECT destination,
    minute,
    (COALESCE(max(delivered), (0)::numeric))::bigint AS delivered,
    (COALESCE(sum(count) FILTER (WHERE (bin = '-1'::integer)), (0)::numeric))::bigint AS dead_lettered,
    (round(power(1.2, ((min(bin) FILTER (WHERE ((bin >= 0) AND (up_to >= (delivered * 0.50)))))::numeric + 0.5)), 2))::double precision AS p50_ms,
    (round(power(1.2, ((min(bin) FILTER (WHERE ((bin >= 0) AND (up_to >= (delivered * 0.99)))))::numeric + 0.5)), 2))::double precision AS p99_ms,
    (COALESCE(sum(count) FILTER (WHERE (bin = '-2'::integer)), (0)::numeric))::bigint AS late,
    (COALESCE(sum(count) FILTER (WHERE (bin = '-3'::integer)), (0)::numeric))::bigint AS suppressed
   FROM per_bin
  GROUP BY destination, minute;

GRANT USAGE ON SCHEMA outbox TO outbox_enqueue;
GRANT USAGE ON SCHEMA outbox TO outbox_operator;
GRANT USAGE ON SCHEMA outbox TO outbox_relay;
GRANT USAGE ON SCHEMA outbox TO outbox_viewer;

GRANT SELECT (at) ON outbox.breaker_transitions TO outbox_relay;
GRANT SELECT (destination, holds, id, ordering_key, priority, seq) ON outbox.dead_letters TO outbox_relay;
GRANT SELECT (expires_at, key, workspace) ON outbox.dedup TO outbox_relay;
GRANT UPDATE (expires_at) ON outbox.dedup TO outbox_relay;
GRANT UPDATE (attempts, lane, retry_at, sending_at) ON outbox.intents TO outbox_relay;

GRANT SELECT ON outbox.action_status TO outbox_operator;
GRANT SELECT ON outbox.action_status TO outbox_relay;
GRANT SELECT ON outbox.action_status TO outbox_viewer;
GRANT SELECT ON outbox.actions TO outbox_operator;
GRANT INSERT ON outbox.archive TO outbox_relay;
GRANT SELECT ON outbox.backlog TO outbox_operator;
GRANT SELECT ON outbox.backlog TO outbox_relay;
GRANT SELECT ON outbox.backlog TO outbox_viewer;
GRANT SELECT ON outbox.breaker_state TO outbox_operator;
GRANT SELECT ON outbox.breaker_state TO outbox_relay;
GRANT SELECT ON outbox.breaker_state TO outbox_viewer;
GRANT SELECT ON outbox.breaker_transitions TO outbox_operator;
GRANT DELETE ON outbox.breaker_transitions TO outbox_relay;
GRANT INSERT ON outbox.breaker_transitions TO outbox_relay;
GRANT SELECT ON outbox.breaker_transitions TO outbox_viewer;
GRANT INSERT ON outbox.breakers TO outbox_relay;
GRANT SELECT ON outbox.breakers TO outbox_relay;
GRANT UPDATE ON outbox.breakers TO outbox_relay;
GRANT SELECT ON outbox.dead_letter_summary TO outbox_operator;
GRANT SELECT ON outbox.dead_letter_summary TO outbox_relay;
GRANT SELECT ON outbox.dead_letter_summary TO outbox_viewer;
GRANT SELECT ON outbox.dead_letters TO outbox_operator;
GRANT DELETE ON outbox.dead_letters TO outbox_relay;
GRANT INSERT ON outbox.dead_letters TO outbox_relay;
GRANT DELETE ON outbox.dedup TO outbox_relay;
GRANT INSERT ON outbox.delivered TO outbox_relay;
GRANT SELECT ON outbox.event_plan TO outbox_operator;
GRANT SELECT ON outbox.event_plan TO outbox_viewer;
GRANT SELECT ON outbox.health TO outbox_operator;
GRANT SELECT ON outbox.health TO outbox_relay;
GRANT SELECT ON outbox.health TO outbox_viewer;
GRANT SELECT ON outbox.history TO outbox_operator;
GRANT DELETE ON outbox.intents TO outbox_relay;
GRANT INSERT ON outbox.intents TO outbox_relay;
GRANT SELECT ON outbox.intents TO outbox_relay;
GRANT SELECT ON outbox.intents_seq_seq TO outbox_relay;
GRANT SELECT ON outbox.lane_heads TO outbox_operator;
GRANT SELECT ON outbox.lane_heads TO outbox_relay;
GRANT SELECT ON outbox.lane_watermarks TO outbox_relay;
GRANT SELECT ON outbox.lanes TO outbox_operator;
GRANT INSERT ON outbox.lanes TO outbox_relay;
GRANT SELECT ON outbox.lanes TO outbox_relay;
GRANT UPDATE ON outbox.lanes TO outbox_relay;
GRANT SELECT ON outbox.locks TO outbox_relay;
GRANT UPDATE ON outbox.locks TO outbox_relay;
GRANT SELECT ON outbox.migrations TO outbox_operator;
GRANT SELECT ON outbox.migrations TO outbox_relay;
GRANT SELECT ON outbox.migrations TO outbox_viewer;
GRANT UPDATE ON outbox.notify_flag TO outbox_relay;
GRANT INSERT ON outbox.rate_limits TO outbox_relay;
GRANT SELECT ON outbox.rate_limits TO outbox_relay;
GRANT UPDATE ON outbox.rate_limits TO outbox_relay;
GRANT SELECT ON outbox.relay_fleet TO outbox_operator;
GRANT SELECT ON outbox.relay_fleet TO outbox_relay;
GRANT SELECT ON outbox.relay_fleet TO outbox_viewer;
GRANT DELETE ON outbox.relays TO outbox_relay;
GRANT INSERT ON outbox.relays TO outbox_relay;
GRANT SELECT ON outbox.relays TO outbox_relay;
GRANT UPDATE ON outbox.relays TO outbox_relay;
GRANT DELETE ON outbox.settled_counts TO outbox_relay;
GRANT INSERT ON outbox.settled_counts TO outbox_relay;
GRANT SELECT ON outbox.settled_counts TO outbox_relay;
GRANT UPDATE ON outbox.settled_counts TO outbox_relay;
GRANT SELECT ON outbox.throughput TO outbox_operator;
GRANT SELECT ON outbox.throughput TO outbox_relay;
GRANT SELECT ON outbox.throughput TO outbox_viewer;
GRANT SELECT ON outbox.unserved_workspaces TO outbox_operator;
