-- What happened to an intent, or to everything of a person.

-- Rows of delivered by key, id, or Customer.io's delivery id. A search of the BRIN indexes takes 25 ms at 5,000,000 rows. The
-- planner would sometimes read the whole table, because it expects more rows.
CREATE FUNCTION "outbox".find_delivered(keys text[], ids uuid[], delivery text, max integer)
RETURNS SETOF "outbox".delivered
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
BEGIN
  IF cardinality(ids) > 0 THEN
    RETURN QUERY SELECT d.* FROM "outbox".delivered d WHERE d.id = ANY (ids) ORDER BY d.delivered_at DESC LIMIT max;
  END IF;
  RETURN QUERY SELECT d.* FROM "outbox".delivered d WHERE d.ordering_key = ANY (keys) AND d.id <> ALL (ids)
               ORDER BY d.delivered_at DESC LIMIT max;
  RETURN QUERY SELECT d.* FROM "outbox".delivered d WHERE d.delivery_id = delivery AND d.id <> ALL (ids)
               AND d.ordering_key <> ALL (keys) LIMIT max;
END
$$;
--> statement-breakpoint
-- Queued intents by key or id. A key is in one lane of each priority, held in one of each, or scheduled. An id is searched in the whole queue, which
-- has no index for it: an index would cost every enqueue.
CREATE FUNCTION "outbox".find_pending(keys text[], ids uuid[], max integer) RETURNS SETOF "outbox".intents
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
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
$$;
--> statement-breakpoint
-- Why a pending intent is not delivered yet.
CREATE FUNCTION "outbox".why_pending(intent "outbox".intents) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET datestyle = 'ISO' AS $$
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
$$;
--> statement-breakpoint
-- One row for each event in the life of the intents that `what` names, in order of time. `what` is a person's id, email, phone or
-- cio_id, an intent's id, its ULID, a dedup key, or Customer.io's delivery id of a message.
--
-- event: enqueued, pending, scheduled, delivered, suppressed_by_config, dead, edited, redriven, discarded, replayed, cancelled,
-- rescheduled. max_intents: the newest intents are returned, at most this many in each place.
CREATE FUNCTION "outbox".find(what text, max_intents integer DEFAULT 100)
RETURNS TABLE (id uuid, at timestamptz, event text, destination text, operation text, name text, ordering_key text, detail text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
$$;
--> statement-breakpoint
-- The intents of a person that were written up to `until`, with the payloads that the outbox has, in the order of their writes.
-- `person` as for find. An intent is the person's if its ordering key is the person's identifier, and its payload names the person.
--
-- state: kept (delivered, with the payload), not_kept (delivered, without it), suppressed_by_config (not sent), pending, scheduled,
-- dead; and first_kept, one row for each workspace that keeps payloads: at is its oldest kept delivery.
-- at: when it was delivered, or died. payload: as for enqueue. detail: why it is pending or dead.
CREATE FUNCTION "outbox".timeline(person text, until timestamptz DEFAULT NULL)
RETURNS TABLE (state text, id uuid, destination text, operation text, name text, written_at timestamptz, at timestamptz,
               payload jsonb, detail text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
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
$$;
--> statement-breakpoint
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA "outbox" FROM PUBLIC;
