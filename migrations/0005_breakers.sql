-- Pause and resume of a destination, for operators.

-- Raises an error unless the destination has the form <workspace>/<api>.
CREATE FUNCTION "outbox".check_destination(destination text) RETURNS void
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF destination IS NULL OR destination !~ '^[A-Za-z0-9][A-Za-z0-9_-]{0,62}/(track|app|broadcast|pipelines)$' THEN
    RAISE EXCEPTION 'outbox: destination must be <workspace>/<api> with api one of track, app, broadcast, pipelines, got %',
      "outbox".quote_for_error(destination)
      USING ERRCODE = 'invalid_parameter_value', HINT = 'Such as default/track.';
  END IF;
END
$$;
--> statement-breakpoint
-- Stops delivery to a destination for the whole fleet until an operator resumes it. Enqueue goes on. Requests in flight end
-- and are settled. No relay begins another one. Takes effect with the caller's COMMIT.
--
-- The pause outlasts restarts, changed keys and rate limits: no relay changes a paused breaker that has no retry_at.
-- last_error and breaker_transitions name the user who paused it first.
--
-- Returns whether this call paused it. It returns false and changes nothing if an operator had already paused it.
CREATE FUNCTION "outbox".pause(destination text, reason text DEFAULT NULL) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
$$;
--> statement-breakpoint
-- Ends whatever stops delivery to a destination. Returns what it did:
-- 'resumed'    The destination was paused by an operator, or stopped because most intents were rejected. Its breaker is
--              closed now, and relays send its backlog at once.
-- 'probing'    Its breaker was open, or its key was refused. A relay probes it now and not only at retry_at.
-- 'unchanged'  Delivery was not stopped.
-- The wait of a rate limit (429) stays: Customer.io asked for it.
CREATE FUNCTION "outbox".resume(destination text) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
$$;
--> statement-breakpoint
-- The destinations that pause and resume may be meant for: those of the workspaces that relays serve, of the intents in the
-- queue, and of the breakers. plpgsql, because a later migration creates the view.
CREATE FUNCTION "outbox".known_destinations() RETURNS SETOF text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN QUERY
    SELECT w.name || '/' || a.api FROM "outbox".workspaces w, unnest('{track,app,broadcast,pipelines}'::text[]) AS a(api)
    UNION
    SELECT h.destination FROM "outbox".lane_heads h
    UNION
    SELECT b.destination FROM "outbox".breakers b
    ORDER BY 1;
END
$$;
--> statement-breakpoint
-- The known destinations that a pattern matches, sorted. An asterisk stands for any characters, none and '/' included. No
-- other character is special.
CREATE FUNCTION "outbox".matching_destinations(pattern text) RETURNS SETOF text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT k.destination FROM "outbox".known_destinations() AS k(destination)
  WHERE k.destination LIKE
        replace(replace(replace(replace(pattern, '!', '!!'), '%', '!%'), '_', '!_'), '*', '%') ESCAPE '!'
  ORDER BY k.destination
$$;
--> statement-breakpoint
-- Raises the error for a pattern that matches no known destination.
CREATE FUNCTION "outbox".refuse_unmatched(pattern text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
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
$$;
--> statement-breakpoint
-- Pauses every known destination that the pattern matches. Returns for each whether this call paused it. The order of
-- the rows is also the order of the locks, so two calls at once cannot deadlock.
CREATE FUNCTION "outbox".pause_matching(pattern text, reason text DEFAULT NULL)
RETURNS TABLE (destination text, paused boolean)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  FOR destination IN SELECT m FROM "outbox".matching_destinations(pattern) AS m LOOP
    paused := "outbox".pause(destination, reason);
    RETURN NEXT;
  END LOOP;
  IF NOT FOUND THEN
    PERFORM "outbox".refuse_unmatched(pattern);
  END IF;
END
$$;
--> statement-breakpoint
-- Resumes every known destination that the pattern matches. Returns for each what resume returns.
CREATE FUNCTION "outbox".resume_matching(pattern text) RETURNS TABLE (destination text, result text)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  FOR destination IN SELECT m FROM "outbox".matching_destinations(pattern) AS m LOOP
    result := "outbox".resume(destination);
    RETURN NEXT;
  END LOOP;
  IF NOT FOUND THEN
    PERFORM "outbox".refuse_unmatched(pattern);
  END IF;
END
$$;
--> statement-breakpoint
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA "outbox" FROM PUBLIC;
