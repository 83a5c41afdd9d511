-- A role for each of the app, the relay, the viewer and the operator; pause and resume of a destination; the
-- database that the outbox belongs to.

-- A destination is <workspace>/<api>; anything else is a slip of the hand, and refused in words.
CREATE FUNCTION "outbox".check_destination(destination text) RETURNS void
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF destination IS NULL OR destination !~ '^[A-Za-z0-9][A-Za-z0-9_-]{0,62}/(track|app|broadcast|pipelines)$' THEN
    RAISE EXCEPTION 'outbox: destination must be <workspace>/<api> with api one of track, app, broadcast, pipelines, got %',
      "outbox".shown(destination)
      USING ERRCODE = 'invalid_parameter_value', HINT = 'Such as default/track.';
  END IF;
END
$$;
--> statement-breakpoint
-- Stops delivery to a destination for the whole fleet until a person resumes it. Enqueue goes on; requests under
-- way end, and are settled; no relay begins another. It outlasts restarts, changed keys and rate limits: a paused
-- breaker without a retry_at is what no relay touches. Whoever paused it first stands in last_error and in
-- breaker_transitions. Takes effect with the caller's commit.
-- Returns whether this call paused it: false where a person had done so already, and nothing changes.
CREATE FUNCTION "outbox".pause(destination text, reason text DEFAULT NULL) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_now timestamptz := clock_timestamp();
  v_words text := nullif(btrim(regexp_replace(left(reason, 2000), '[[:space:][:cntrl:]]+', ' ', 'g')), '');
  v_reason text := left('paused by ' || session_user || coalesce(': ' || v_words, ''), 500);
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
-- The way back, whatever held the destination:
-- 'resumed'    a person had paused it, or it was stopped because most intents were rejected: it is closed, and its
--              backlog goes out at once
-- 'probing'    its breaker was open, or its key refused: it is tried now and not only at retry_at
-- 'unchanged'  it was not held back
-- A rate limit's wait (429) stays: Customer.io has asked for it.
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
-- What only a person resumes is not tried at any time, also while a rate limit's wait is on.
CREATE OR REPLACE VIEW "outbox".breaker_state AS
SELECT destination, state, failure_count, last_failure_at, last_error, opened_at,
       CASE WHEN state = 'rejecting' OR state = 'paused' AND retry_at IS NULL THEN NULL ELSE greatest(retry_at, rate_limited_until) END AS retry_at
FROM "outbox".breakers;
--> statement-breakpoint
-- The database that the outbox belongs to: the one in which this migration ran, in one row. A copy of the database
-- has the row too, and another identity, and with it the original's pending intents: no relay sends from it.
CREATE TABLE "outbox"."origin" (
	"one" boolean PRIMARY KEY DEFAULT true NOT NULL,
	"system_identifier" text,
	"database_oid" bigint NOT NULL,
	"database_name" text NOT NULL,
	"recorded_at" timestamp with time zone NOT NULL,
	CONSTRAINT "origin_one" CHECK ("outbox"."origin"."one")
);
--> statement-breakpoint
-- The identity of this database. A new cluster has another system identifier, a new database of a cluster another
-- oid. A replica, a base backup and a storage snapshot have both of the original: a promoted replica goes on, and a
-- copy that was made that way is not told from it. The name tells a person which one it is; it may change.
-- The identifier is NULL on a server that takes pg_control_system from PUBLIC.
CREATE FUNCTION "outbox".current_identity(OUT system_identifier text, OUT database_oid bigint, OUT database_name text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  SELECT d.oid::bigint, d.datname INTO database_oid, database_name
  FROM pg_database d WHERE d.datname = current_database();
  IF has_function_privilege('pg_control_system()', 'EXECUTE') THEN
    SELECT c.system_identifier::text INTO system_identifier FROM pg_control_system() c;
  END IF;
END
$$;
--> statement-breakpoint
-- One row: whether this database is another than the outbox belongs to, and which both are. A database without a
-- record is a copy too. Relays ask it on each new connection and with their looks: it takes 20 microseconds.
CREATE FUNCTION "outbox".check_origin(
  OUT is_copy boolean, OUT origin_system text, OUT origin_oid bigint, OUT origin_name text,
  OUT current_system text, OUT current_oid bigint, OUT current_name text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  SELECT i.system_identifier, i.database_oid, i.database_name INTO current_system, current_oid, current_name
  FROM "outbox".current_identity() i;
  SELECT o.system_identifier, o.database_oid, o.database_name INTO origin_system, origin_oid, origin_name
  FROM "outbox".origin o;
  is_copy := origin_oid IS DISTINCT FROM current_oid OR coalesce(origin_system <> current_system, false);
END
$$;
--> statement-breakpoint
-- From now on the outbox belongs to this database: relays send what is in it. For a copy whose intents are to be
-- sent, and for a database that has moved to another server (pg_upgrade, a dump that was restored in its place).
-- Takes effect with the caller's commit. Returns whether it was a copy before.
CREATE FUNCTION "outbox".accept_copy() RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
$$;
--> statement-breakpoint
SELECT "outbox".accept_copy();
--> statement-breakpoint
-- Who may do what: the whole list. What it does not name, none of the roles may do, and PUBLIC may do nothing.
-- A migration that adds something for one of them replaces this function; grant_roles, which every migrate ends
-- with, then brings the database to it. `place` follows the schema's name: '_pgboss' is pg-boss' schema.
CREATE FUNCTION "outbox".role_rights()
RETURNS TABLE (roles text[], place text, kind text, names text[], privileges text[], columns text[])
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
  SELECT r.roles::text[], r.place, r.kind, r.names::text[], r.privileges::text[], r.columns::text[]
  FROM (VALUES
    ('{enqueue,relay,viewer,operator}', '', 'SCHEMA', '{""}', '{USAGE}', NULL),

    -- The app enqueues, and sees nothing.
    ('{enqueue}', '', 'FUNCTION', '{enqueue,enqueue_many}', '{EXECUTE}', NULL),

    -- People and monitoring: no payload. The relay has them for its health endpoints.
    ('{viewer,operator,relay}', '', 'TABLE',
     '{backlog,breaker_state,dead_letter_summary,throughput,relay_fleet,health}', '{SELECT}', NULL),
    ('{viewer,operator,relay}', '', 'FUNCTION', '{estimate_dead_letters,check_origin,notification_queue}', '{EXECUTE}', NULL),
    ('{viewer,operator,relay}', '', 'TABLE', '{migrations}', '{SELECT}', NULL),
    ('{viewer,operator}', '', 'TABLE', '{breaker_transitions}', '{SELECT}', NULL),

    -- The operator stops and resumes, sees which lane stands still, and reads dead letters: what to do with one
    -- that may have been sent, or was refused, cannot be decided without its payload.
    ('{operator}', '', 'FUNCTION', '{pause,resume}', '{EXECUTE}', NULL),
    ('{operator,relay}', '', 'FUNCTION', '{accept_copy}', '{EXECUTE}', NULL),
    ('{operator}', '', 'TABLE', '{dead_letters,lane_heads,lanes,unserved_workspaces}', '{SELECT}', NULL),

    -- The relay: its statements in src/store, and nothing else. It reads no dead letter's payload and nothing delivered;
    -- the id and DELETE of dead letters are for one that was put back and fails again. Of dedup it reads no intent's id;
    -- UPDATE of one column is what FOR UPDATE asks for.
    ('{relay}', '', 'TABLE', '{intents}', '{SELECT,INSERT,DELETE}', NULL),
    ('{relay}', '', 'TABLE', '{intents}', '{UPDATE}', '{sending_at,attempts,retry_at}'),
    ('{relay}', '', 'TABLE', '{delivered,dead_letters,breaker_transitions}', '{INSERT}', NULL),
    ('{relay}', '', 'TABLE', '{dead_letters}', '{SELECT}', '{id}'),
    ('{relay}', '', 'TABLE', '{dead_letters}', '{DELETE}', NULL),
    ('{relay}', '', 'TABLE', '{breaker_transitions}', '{SELECT}', '{at}'),
    ('{relay}', '', 'TABLE', '{breaker_transitions}', '{DELETE}', NULL),
    ('{relay}', '', 'TABLE', '{dedup}', '{SELECT}', '{workspace,key,expires_at}'),
    ('{relay}', '', 'TABLE', '{dedup}', '{UPDATE}', '{expires_at}'),
    ('{relay}', '', 'TABLE', '{dedup}', '{DELETE}', NULL),
    ('{relay}', '', 'TABLE', '{breakers,lanes,rate_limits}', '{SELECT,INSERT,UPDATE}', NULL),
    ('{relay}', '', 'TABLE', '{relays,settled_counts}', '{SELECT,INSERT,UPDATE,DELETE}', NULL),
    ('{relay}', '', 'TABLE', '{locks}', '{SELECT,UPDATE}', NULL), -- UPDATE is what FOR UPDATE asks for
    ('{relay}', '', 'TABLE', '{lane_heads,lane_watermarks}', '{SELECT}', NULL),
    ('{relay}', '', 'SEQUENCE', '{relay_idle}', '{UPDATE}', NULL),
    ('{relay}', '', 'SEQUENCE', '{intents_seq_seq}', '{SELECT}', NULL),
    ('{relay}', '', 'FUNCTION', '{lane_of,write_horizon,ensure_partitions,prune_delivered,notify,
       keep_workspaces}',
     '{EXECUTE}', NULL),

    -- pg-boss at work: fetch, insert, touch, fail, delete, queues. No DDL of it.
    ('{relay}', '_pgboss', 'SCHEMA', '{""}', '{USAGE}', NULL),
    ('{relay}', '_pgboss', 'TABLE', '{job,queue}', '{SELECT,INSERT,UPDATE}', NULL),
    ('{relay}', '_pgboss', 'TABLE', '{job_common}', '{SELECT,INSERT,UPDATE,DELETE}', NULL),
    ('{relay}', '_pgboss', 'TABLE', '{version}', '{SELECT}', NULL),
    ('{relay}', '_pgboss', 'FUNCTION', '{job_now,create_queue}', '{EXECUTE}', NULL)
  ) AS r(roles, place, kind, names, privileges, columns)
$$;
--> statement-breakpoint
-- What is missing for the roles to have exactly these rights, as statements in the order to run them in; none
-- where everything is as it should be. An object that is not there (yet) asks for nothing. Rights that a role has
-- beside its own objects count too: attributes (SUPERUSER), membership in another role. Members of the roles are
-- the database users of apps and relays, and none of its business.
-- A right that another role than the owner has granted can be revoked by that role alone: hence SET ROLE.
CREATE FUNCTION "outbox".role_drift() RETURNS TABLE (statement text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  WITH own AS (
    SELECT nspname FROM pg_namespace WHERE oid = '"outbox"'::regnamespace
  ), role AS (
    SELECT r.name, own.nspname || '_' || r.name AS rolname
    FROM own, unnest('{enqueue,relay,viewer,operator}'::text[]) AS r(name)
  ), schema AS (
    SELECT n.oid, n.nspname, n.nspacl, n.nspowner, p.place
    FROM own, (VALUES (''), ('_pgboss')) AS p(place), pg_namespace n WHERE n.nspname = own.nspname || p.place
  ), relation AS (
    SELECT s.place, c.*, format('%I.%I', s.nspname, c.relname) AS target,
           CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END AS kind
    FROM pg_class c JOIN schema s ON s.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
  ), object AS (
    SELECT place, 'SCHEMA' AS kind, '' AS name, NULL::name AS col, quote_ident(nspname) AS target,
           nspowner AS owner, nspacl AS acl
    FROM schema
    UNION ALL
    SELECT place, kind, relname, NULL, target, relowner, relacl FROM relation
    UNION ALL
    SELECT r.place, r.kind, r.relname, a.attname, r.target, r.relowner, a.attacl
    FROM relation r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT s.place, CASE p.prokind WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END, p.proname, NULL,
           p.oid::regprocedure::text, p.proowner, coalesce(p.proacl, acldefault('f', p.proowner))
    FROM pg_proc p JOIN schema s ON s.oid = p.pronamespace
  ), wanted AS (
    SELECT o.kind, o.target, o.col, w.privilege, quote_ident(role.rolname) AS grantee
    FROM (SELECT unnest(roles) AS role, place, kind, names, privileges, columns FROM "outbox".role_rights()) r
    JOIN role ON role.name = r.role
    CROSS JOIN LATERAL unnest(r.names) AS n(name)
    CROSS JOIN LATERAL unnest(r.privileges) AS w(privilege)
    CROSS JOIN LATERAL unnest(coalesce(r.columns, '{NULL}')) AS c(name)
    JOIN object o ON o.place = r.place AND o.kind = r.kind AND o.name = n.name AND o.col IS NOT DISTINCT FROM c.name
  ), held AS (
    SELECT o.kind, o.target, o.col, a.privilege_type AS privilege,
           CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(r.rolname) END AS grantee,
           a.is_grantable AS grantable, CASE WHEN a.grantor <> o.owner THEN a.grantor::regrole::text END AS grantor
    FROM object o, LATERAL aclexplode(o.acl) a LEFT JOIN pg_roles r ON r.oid = a.grantee
    WHERE a.grantee = 0 OR r.rolname IN (SELECT rolname FROM role)
  ), judged AS (
    SELECT h.*, EXISTS (SELECT FROM wanted w
                        WHERE (w.kind, w.target, w.privilege, w.grantee) = (h.kind, h.target, h.privilege, h.grantee)
                          AND w.col IS NOT DISTINCT FROM h.col) AS is_wanted
    FROM held h
  ), due AS (
    -- CASCADE: what the role has handed on goes with its grant option; without it the statement would fail.
    SELECT 4 AS step, CASE WHEN is_wanted THEN 'REVOKE GRANT OPTION FOR' ELSE 'REVOKE' END AS verb, 'FROM' AS link,
           kind, target, col, privilege, grantee, ' CASCADE' AS reach, grantor
    FROM judged WHERE grantable OR NOT is_wanted
    UNION ALL
    SELECT 5, 'GRANT', 'TO', d.*, '', NULL
    FROM (TABLE wanted EXCEPT
          SELECT kind, target, col, privilege, grantee FROM held WHERE grantor IS NULL) d
  ), change AS (
    SELECT step, grantor, format('%s %s ON %s %s %s %s%s', verb,
                        string_agg(privilege || coalesce(' (' || quote_ident(col) || ')', ''), ', ' ORDER BY privilege, col),
                        kind, target, link, grantee, reach) AS statement
    FROM due GROUP BY step, verb, link, kind, target, grantee, reach, grantor
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
    -- Since PostgreSQL 16 a membership has a row for each grantor, and goes when the last of them is revoked.
    SELECT 3, format('REVOKE %s FROM %I%s CASCADE', m.roleid::regrole, r.rolname,
                     CASE WHEN current_setting('server_version_num')::int >= 160000
                          THEN ' GRANTED BY ' || m.grantor::regrole END)
    FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.member WHERE r.rolname IN (SELECT rolname FROM role)
    UNION ALL
    SELECT step, coalesce('SET ROLE ' || grantor || '; ' || statement || '; RESET ROLE', statement) FROM change
  ) AS statements
  ORDER BY step, statement
$$;
--> statement-breakpoint
-- Makes the roles and brings their rights to role_rights, as far as the user who calls it may. Rerunnable; where
-- nothing is due it changes nothing and needs no right. Every migrate ends with it. Returns what could not be done,
-- for whatever reason: a statement that fails never fails the migrate.
-- Twice: revoking a right of a table takes those of its columns with it, and CASCADE what another role still needs.
-- Roles belong to the cluster: another database's migrate may change one at the same moment, which is as good.
CREATE FUNCTION "outbox".grant_roles() RETURNS TABLE (statement text, error text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
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
          RAISE; -- migrate tries again
        WHEN OTHERS THEN
          v_errors := v_errors || jsonb_build_object(v_statement, SQLERRM);
      END;
    END LOOP;
  END LOOP;
  RETURN QUERY
    SELECT d.statement, coalesce(v_errors ->> d.statement, format('%I may not do it', current_user))
    FROM "outbox".role_drift() d;
END
$$;
--> statement-breakpoint
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA "outbox" FROM PUBLIC;
