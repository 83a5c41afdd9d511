-- The roles of the app, the relay, the viewer and the operator, and their rights.

-- Every right of every role. A role may do nothing else, and PUBLIC may do nothing. A migration that adds an object for a
-- role replaces this function. Every migrate ends with grant_roles, which brings the database in line.
-- `schema_suffix` is appended to the schema's name: '_pgboss' is pg-boss' schema.
CREATE FUNCTION "outbox".role_rights()
RETURNS TABLE (roles text[], schema_suffix text, kind text, names text[], privileges text[], columns text[])
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
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
$$;
--> statement-breakpoint
-- The statements that give the roles exactly these rights, in the order to run them. Empty if nothing differs. A right on
-- an object that does not exist is left out.
--
-- Attributes of a role (SUPERUSER) and its memberships in other roles are rights too. The members of the roles are the
-- database users of apps and relays: they are not compared.
--
-- Only the role that granted a right can revoke it: hence SET ROLE.
CREATE FUNCTION "outbox".role_drift() RETURNS TABLE (statement text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
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
$$;
--> statement-breakpoint
-- Creates the roles and gives them the rights of role_rights, as far as the calling user may. Safe to repeat: if nothing
-- differs, it changes nothing and needs no right. Every migrate ends with it.
--
-- Returns the statements that failed, with their errors: a failed statement never fails the migrate.
--
-- It runs two rounds, because the first may take away rights that are needed: revoking a right on a table also revokes it on
-- the columns, and CASCADE may revoke a right that another role needs. Roles belong to the cluster, so a migrate of another
-- database may also change a role at the same moment.
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
$$;
--> statement-breakpoint
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA "outbox" FROM PUBLIC;
