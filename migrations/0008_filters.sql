-- Filters: which intents an operator means, as a JSON object with one field for each condition.

-- The intent's UUID in a text: a UUID, or a ULID as Customer.io shows it. NULL for any other text.
CREATE FUNCTION "outbox".id_of(value text) RETURNS uuid
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
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
$$;
--> statement-breakpoint
-- The kind and the value of a person's identifier: `email:jane@example.com`, or without a kind. An @ then means an email, and
-- anything else an id.
CREATE FUNCTION "outbox".identifier_of(person text, OUT kind text, OUT value text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
  SELECT coalesce(m[1], CASE WHEN person LIKE '%@%' THEN 'email' ELSE 'id' END), coalesce(m[2], person)
  FROM (SELECT regexp_match(person, '^(id|email|phone|cio_id):(.+)$') AS m) AS matched
$$;
--> statement-breakpoint
-- The ordering keys of a list of persons. An email is in lower case.
CREATE FUNCTION "outbox".keys_of(persons text[]) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
  SELECT coalesce(array_agg(DISTINCT CASE i.kind WHEN 'email' THEN lower(i.value) ELSE i.value END), '{}')
  FROM unnest(persons) AS p(person), LATERAL "outbox".identifier_of(p.person) AS i
$$;
--> statement-breakpoint
-- Raises one clear error for a filter that is wrong, or that would match everything.
CREATE FUNCTION "outbox".check_filter(kind text, filter jsonb) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
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
$$;
--> statement-breakpoint
-- The values of a field of a filter: one value, or the elements of an array. NULL if the field is missing.
CREATE FUNCTION "outbox".filter_values(filter jsonb, field text) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN filter ? field THEN ARRAY(SELECT e #>> '{}' FROM jsonb_array_elements(
    CASE jsonb_typeof(filter -> field) WHEN 'array' THEN filter -> field ELSE jsonb_build_array(filter -> field) END) AS e) END
$$;
--> statement-breakpoint
-- A time of a filter as an SQL literal. An infinite time and a text that is no time are errors.
CREATE FUNCTION "outbox".filter_time(kind text, filter jsonb, field text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
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
$$;
--> statement-breakpoint
-- The condition of a checked filter, as SQL on the alias x. Every value is a quoted literal.
-- Times: of dead letters when they died, of delivered intents when they were delivered, of pending ones when they were enqueued.
CREATE FUNCTION "outbox".filter_condition(kind text, filter jsonb) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
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
$$;
--> statement-breakpoint
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA "outbox" FROM PUBLIC;
