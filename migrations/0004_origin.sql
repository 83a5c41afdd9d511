-- The database that the outbox belongs to: the database in which this migration ran, recorded in one row. A copy of the
-- database has the same row, another identity, and the original's queued intents. No relay sends from a copy.

-- The identity of this database. A new cluster has another system identifier. A new database in the same cluster has
-- another oid. A replica, a base backup and a storage snapshot have both from the original. So a promoted replica is no
-- copy, and a copy that was made from a snapshot is not detected.
-- The name helps operators and may change. The identifier is NULL on a server that revokes pg_control_system from PUBLIC.
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
-- One row: whether this database is a copy, with the identities of the origin and of this database. A database without a
-- record is a copy too. A relay calls the function on each new connection and with its polls. A call takes 20 us.
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
-- Makes the outbox belong to this database, so that relays send its intents. Call it in a copy whose intents are to be sent,
-- and in a database that moved to another server (pg_upgrade, a dump restored in its place).
-- Takes effect with the caller's COMMIT. Returns whether the database was a copy before.
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
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA "outbox" FROM PUBLIC;
