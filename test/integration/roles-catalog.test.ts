import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { createLoginRole, type LoginRole } from '../support/login-role.ts'

/** The rights that the viewer, the operator and the relay share. */
const VIEWS = {
  'outbox.action_status': 'SELECT',
  'outbox.backlog': 'SELECT',
  'outbox.breaker_state': 'SELECT',
  'outbox.dead_letter_summary': 'SELECT',
  'outbox.health': 'SELECT',
  'outbox.relay_fleet': 'SELECT',
  'outbox.throughput': 'SELECT',
  'outbox.check_origin()': 'EXECUTE',
  'outbox.estimate_dead_letters()': 'EXECUTE',
  'outbox.notification_queue()': 'EXECUTE',
  'outbox.migrations': 'SELECT',
}
/**
 * Every right of each role in the outbox's schema and in pg-boss' schema, by object. Columns are in brackets if the right
 * does not cover the whole table. The test fails for any other right, so a new object has no rights until it is listed.
 */
const ALLOWED: Record<string, Record<string, string>> = {
  outbox_enqueue: {
    outbox: 'USAGE',
    'outbox.enqueue()': 'EXECUTE',
    'outbox.enqueue_encrypted()': 'EXECUTE',
    'outbox.enqueue_encrypted_many()': 'EXECUTE',
    'outbox.enqueue_many()': 'EXECUTE',
    'outbox.enqueue_wire()': 'EXECUTE',
    'outbox.enqueue_wire_many()': 'EXECUTE',
    'outbox.enqueue_wire_with()': 'EXECUTE',
  },
  outbox_viewer: {
    outbox: 'USAGE',
    ...VIEWS,
    'outbox.breaker_transitions': 'SELECT',
    'outbox.event_plan': 'SELECT',
    'outbox.encrypted_workspaces()': 'EXECUTE',
    'outbox.encryption_keys_in_use()': 'EXECUTE',
  },
  outbox_operator: {
    outbox: 'USAGE',
    ...VIEWS,
    'outbox.breaker_transitions': 'SELECT',
    'outbox.event_plan': 'SELECT',
    'outbox.encrypted_workspaces()': 'EXECUTE',
    'outbox.encryption_keys_in_use()': 'EXECUTE',
    'outbox.dead_letters': 'SELECT',
    'outbox.lane_heads': 'SELECT',
    'outbox.lanes': 'SELECT',
    'outbox.unserved_workspaces': 'SELECT',
    'outbox.actions': 'SELECT',
    'outbox.history': 'SELECT',
    'outbox.accept_copy()': 'EXECUTE',
    'outbox.advance_backfill()': 'EXECUTE',
    'outbox.apply()': 'EXECUTE',
    'outbox.cancel()': 'EXECUTE',
    'outbox.edit_dead_letter()': 'EXECUTE',
    'outbox.find()': 'EXECUTE',
    'outbox.known_destinations()': 'EXECUTE',
    'outbox.list_dead_letters()': 'EXECUTE',
    'outbox.matching_destinations()': 'EXECUTE',
    'outbox.pause()': 'EXECUTE',
    'outbox.pause_matching()': 'EXECUTE',
    'outbox.preview()': 'EXECUTE',
    'outbox.resume()': 'EXECUTE',
    'outbox.resume_matching()': 'EXECUTE',
    'outbox.start_backfill()': 'EXECUTE',
    'outbox.timeline()': 'EXECUTE',
  },
  outbox_relay: {
    outbox: 'USAGE',
    ...VIEWS,
    'outbox.accept_copy()': 'EXECUTE',
    'outbox.archive': 'INSERT',
    'outbox.archive_drop_on()': 'EXECUTE',
    'outbox.prune_archive()': 'EXECUTE',
    'outbox.breaker_transitions': 'DELETE INSERT SELECT(at)',
    'outbox.breakers': 'INSERT SELECT UPDATE',
    'outbox.dead_letters': 'DELETE INSERT SELECT(destination,holds,id,ordering_key,priority,seq)',
    'outbox.dedup': 'DELETE SELECT(expires_at,key,workspace) UPDATE(expires_at)',
    'outbox.delivered': 'INSERT',
    'outbox.ensure_partitions()': 'EXECUTE',
    'outbox.intents': 'DELETE INSERT SELECT UPDATE(attempts,lane,retry_at,sending_at)',
    'outbox.intents_seq_seq': 'SELECT',
    'outbox.register_workspaces()': 'EXECUTE',
    'outbox.lane_watermarks': 'SELECT',
    'outbox.lane_heads': 'SELECT',
    'outbox.lane_of()': 'EXECUTE',
    'outbox.payload_of()': 'EXECUTE',
    'outbox.lanes': 'INSERT SELECT UPDATE',
    'outbox.locks': 'SELECT UPDATE',
    'outbox.notify()': 'EXECUTE',
    'outbox.prune_delivered()': 'EXECUTE',
    'outbox.run_action()': 'EXECUTE',
    'outbox.fail_action()': 'EXECUTE',
    'outbox.held_heads()': 'EXECUTE',
    'outbox.holding_letter()': 'EXECUTE',
    'outbox.is_releasable()': 'EXECUTE',
    'outbox.summarize_delivered()': 'EXECUTE',
    'outbox.rate_limits': 'INSERT SELECT UPDATE',
    'outbox.notify_flag': 'UPDATE',
    'outbox.relays': 'DELETE INSERT SELECT UPDATE',
    'outbox.settled_counts': 'DELETE INSERT SELECT UPDATE',
    'outbox.write_horizon()': 'EXECUTE',
    outbox_pgboss: 'USAGE',
    'outbox_pgboss.create_queue()': 'EXECUTE',
    'outbox_pgboss.job': 'INSERT SELECT UPDATE',
    'outbox_pgboss.job_common': 'DELETE INSERT SELECT UPDATE',
    'outbox_pgboss.job_now()': 'EXECUTE',
    'outbox_pgboss.queue': 'INSERT SELECT UPDATE',
    'outbox_pgboss.version': 'SELECT',
  },
  no_role: {},
}

/** The effective rights of a user: through its roles and through PUBLIC. */
const EFFECTIVE = `
  WITH relation AS (
    SELECT c.oid, c.oid::regclass::text AS object, c.relkind FROM pg_class c
    WHERE c.relnamespace IN ('outbox'::regnamespace, 'outbox_pgboss'::regnamespace)
      AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
  )
  SELECT nspname AS object, p AS privilege, NULL AS columns
  FROM pg_namespace, unnest('{USAGE,CREATE}'::text[]) p
  WHERE nspname IN ('outbox', 'outbox_pgboss') AND has_schema_privilege($1, oid, p)
  UNION ALL
  SELECT object, p, NULL FROM relation, unnest('{USAGE,SELECT,UPDATE}'::text[]) p
  WHERE relkind = 'S' AND has_sequence_privilege($1, oid, p)
  UNION ALL
  SELECT object, p, CASE WHEN NOT has_table_privilege($1, oid, p) THEN
           (SELECT string_agg(attname, ',' ORDER BY attname) FROM pg_attribute
            WHERE attrelid = oid AND attnum > 0 AND NOT attisdropped AND has_column_privilege($1, attrelid, attnum, p)) END
  FROM relation, unnest('{SELECT,INSERT,UPDATE,REFERENCES}'::text[]) p
  WHERE relkind <> 'S' AND has_any_column_privilege($1, oid, p)
  UNION ALL
  SELECT object, p, NULL FROM relation, unnest('{DELETE,TRUNCATE,TRIGGER}'::text[]) p
  WHERE relkind <> 'S' AND has_table_privilege($1, oid, p)
  UNION ALL
  SELECT pronamespace::regnamespace || '.' || proname || '()', 'EXECUTE', NULL FROM pg_proc
  WHERE pronamespace IN ('outbox'::regnamespace, 'outbox_pgboss'::regnamespace)
    AND has_function_privilege($1, oid, 'EXECUTE')`

let db: TestDatabase
const logins = new Map<string, LoginRole>()
beforeAll(async () => {
  db = await createTestDatabase()
  for (const role of Object.keys(ALLOWED)) {
    logins.set(role, await createLoginRole(db, role === 'no_role' ? undefined : role))
  }
})
afterAll(async () => {
  for (const login of logins.values()) await login.drop()
  await db.drop()
})

const loginOf = (role: string) => logins.get(role) as LoginRole

describe.each(Object.keys(ALLOWED))('a member of %s', (role) => {
  let client: pg.Client
  beforeAll(async () => {
    client = new pg.Client({ connectionString: loginOf(role).url })
    await client.connect()
  })
  afterAll(() => client.end())

  test('has exactly the listed rights, counting those through PUBLIC and other roles', async () => {
    const rows = await db.rows<{ object: string; privilege: string; columns: string | null }>(EFFECTIVE, [
      loginOf(role).name,
    ])
    const found: Record<string, string[]> = {}
    for (const { object, privilege, columns } of rows) {
      found[object] ??= []
      found[object].push(columns === null ? privilege : `${privilege}(${columns})`)
    }
    const allowed = Object.fromEntries(
      Object.entries(ALLOWED[role] ?? {}).map(([object, privileges]) => [object, privileges.split(' ')]),
    )
    const sorted = Object.fromEntries(Object.entries(found).map(([object, each]) => [object, each.sort()]))
    expect(sorted).toEqual(allowed)
  })

  test('gets a permission error for every other table and function', async () => {
    const { rows: relations } = await db.pool.query<{ name: string; kind: string }>(
      `SELECT oid::regclass::text AS name, relkind AS kind FROM pg_class
       WHERE relnamespace IN ('outbox'::regnamespace, 'outbox_pgboss'::regnamespace)
         AND relkind IN ('r', 'p', 'v', 'S')`,
    )
    const { rows: functions } = await db.pool.query<{ name: string; args: string }>(
      `SELECT pronamespace::regnamespace || '.' || proname AS name,
              (SELECT coalesce(string_agg('NULL::' || t::regtype, ', '), '')
               FROM unnest(proargtypes) t) AS args
       FROM pg_proc WHERE pronamespace IN ('outbox'::regnamespace, 'outbox_pgboss'::regnamespace)`,
    )
    const may = (object: string, privilege: string) =>
      (ALLOWED[role]?.[object] ?? '').split(' ').some((each) => each.startsWith(privilege))
    const attempts = [
      ...relations.flatMap(({ name, kind }) => {
        if (kind === 'S') {
          return may(name, 'UPDATE') ? [] : [`SELECT nextval('${name}')`, `SELECT setval('${name}', 1)`]
        }
        return [
          ...(may(name, 'SELECT') ? [] : [`SELECT FROM ${name} LIMIT 1`]),
          ...(kind === 'v' || may(name, 'INSERT') ? [] : [`INSERT INTO ${name} DEFAULT VALUES`]),
          ...(kind === 'v' || may(name, 'DELETE') ? [] : [`DELETE FROM ${name}`]),
          ...(kind === 'v'
            ? []
            : [`TRUNCATE ${name}`, `ALTER TABLE ${name} ADD COLUMN x int`, `DROP TABLE ${name}`]),
        ]
      }),
      ...functions
        .filter(({ name }) => !may(`${name}()`, 'EXECUTE'))
        .map(({ name, args }) => `SELECT ${name}(${args})`),
      'CREATE TABLE outbox.mine ()',
      'CREATE TABLE outbox_pgboss.mine ()',
      'CREATE FUNCTION outbox.mine() RETURNS int LANGUAGE sql RETURN 1',
    ]
    expect(attempts.length).toBeGreaterThan(100)
    for (const attempt of attempts) {
      await expect(client.query(attempt), attempt).rejects.toMatchObject({ code: '42501' })
    }
  })
})

test('the relay may read payloads of intents, and the operator payloads of dead letters and of their edits', async () => {
  const rows = await db.rows<{ role: string; object: string }>(
    `SELECT r AS role, attrelid::regclass::text AS object FROM unnest($1::text[]) r, pg_attribute
     WHERE attname = 'payload' AND attrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'outbox'::regnamespace)
       AND has_column_privilege(r, attrelid, attnum, 'SELECT') ORDER BY 1, 2`,
    [Object.keys(ALLOWED).filter((role) => role !== 'no_role')],
  )
  expect(rows).toEqual([
    { role: 'outbox_operator', object: 'outbox.dead_letters' },
    { role: 'outbox_operator', object: 'outbox.history' },
    { role: 'outbox_relay', object: 'outbox.intents' },
  ])
})

test('every object that role_rights names exists', async () => {
  const missing = await db.rows(
    `SELECT schema_suffix, kind, name FROM outbox.role_rights(), unnest(names) AS name
     WHERE CASE kind
       WHEN 'SCHEMA' THEN to_regnamespace('outbox' || schema_suffix) IS NULL
       WHEN 'FUNCTION' THEN to_regproc(format('%s.%s', 'outbox' || schema_suffix, name)) IS NULL
       ELSE to_regclass(format('%s.%s', 'outbox' || schema_suffix, name)) IS NULL END`,
  )
  expect(missing).toEqual([])
})

test('every SECURITY DEFINER function has a fixed search path, and PUBLIC may not execute it', async () => {
  const rows = await db.rows<{ name: string; config: string[] | null; open: boolean }>(
    `SELECT proname AS name, proconfig AS config,
            EXISTS (SELECT FROM aclexplode(coalesce(proacl, acldefault('f', proowner))) WHERE grantee = 0) AS open
     FROM pg_proc WHERE pronamespace = 'outbox'::regnamespace AND prosecdef ORDER BY 1`,
  )
  expect(rows.length).toBeGreaterThan(7)
  for (const { name, config, open } of rows) {
    expect({ name, open }).toEqual({ name, open: false })
    expect(config, name).toContain('search_path=pg_catalog, pg_temp')
  }
})
