/**
 * What doctor says about the schema. Each test makes a fault in a real database. It fails if the check is removed from
 * examine.ts.
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { migrate } from '../../src/store/migrate/migrate.ts'
import {
  oldestAndNewest,
  type PostgresServer,
  startPostgresServer,
} from '../faults/support/servers/postgres-server.ts'
import { createTestDatabase, openTestDatabase, type TestDatabase } from '../support/database.ts'
import { findingsOf } from '../support/doctor.ts'
import { createLoginRole } from '../support/login-role.ts'

const ok = (what: unknown) => ({ level: 'ok', what })
const NO_DRIFT = [ok('every object is as the migrations made it')]
const TEMPLATE = 'outbox_template'
const SECTION = 'see docs/operations.md#schema-drift'

/** A change by hand, and the one finding that it gives. */
const DRIFTS: readonly (readonly [string, { level: string; what: string; next: string }])[] = [
  [
    `CREATE OR REPLACE FUNCTION outbox.lane_of(destination text, ordering_key text, priority text) RETURNS smallint
     LANGUAGE sql IMMUTABLE PARALLEL SAFE AS 'SELECT 0::smallint'`,
    {
      level: 'failure',
      what: 'function outbox.lane_of(text, text, text) has another body than the migration gave it',
      next: SECTION,
    },
  ],
  [
    'ALTER FUNCTION outbox.pause(text, text) SECURITY INVOKER',
    {
      level: 'failure',
      what: 'function outbox.pause(text, text) has another definition than the migration gave it',
      next: SECTION,
    },
  ],
  [
    'DROP FUNCTION outbox.prune_delivered(interval)',
    { level: 'failure', what: 'function outbox.prune_delivered(interval) is missing', next: SECTION },
  ],
  [
    "CREATE FUNCTION outbox.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    { level: 'warning', what: 'function outbox.mine() is not from a migration', next: SECTION },
  ],
  [
    'DROP INDEX outbox.intents_scheduled',
    {
      level: 'failure',
      what: 'index intents_scheduled on outbox.intents is missing',
      next: "CREATE INDEX CONCURRENTLY intents_scheduled ON outbox.intents USING btree (destination, send_after, seq) WHERE (lane = '-1'::integer)",
    },
  ],
  [
    "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'outbox.dedup_expiry'::regclass",
    {
      level: 'failure',
      what: 'index dedup_expiry on outbox.dedup is invalid',
      next: 'REINDEX INDEX CONCURRENTLY "outbox".dedup_expiry',
    },
  ],
  [
    'ALTER TABLE outbox.intents ADD COLUMN tenant text',
    { level: 'warning', what: 'column outbox.intents.tenant is not from a migration', next: SECTION },
  ],
  [
    'ALTER TABLE outbox.dead_letters DROP COLUMN requested_at',
    { level: 'failure', what: 'column outbox.dead_letters.requested_at is missing', next: SECTION },
  ],
  [
    'ALTER TABLE outbox.dedup ALTER COLUMN key TYPE varchar(200)',
    {
      level: 'failure',
      what: 'column outbox.dedup.key is character varying(200) NOT NULL, expected text NOT NULL',
      next: SECTION,
    },
  ],
  [
    'ALTER TABLE outbox.intents ALTER COLUMN priority DROP DEFAULT',
    {
      level: 'failure',
      what: "column outbox.intents.priority is text NOT NULL, expected text NOT NULL DEFAULT 'normal'::text",
      next: SECTION,
    },
  ],
  [
    'ALTER TABLE outbox.intents DROP CONSTRAINT intents_lane',
    {
      level: 'failure',
      what: 'constraint intents_lane on outbox.intents is missing',
      next: 'ALTER TABLE "outbox".intents ADD CONSTRAINT intents_lane CHECK (((lane >= \'-33\'::integer) AND (lane <= 31)))',
    },
  ],
  [
    `ALTER TABLE outbox.intents DROP CONSTRAINT intents_lane;
     ALTER TABLE outbox.intents ADD CONSTRAINT intents_lane CHECK (lane >= -33 AND lane <= 31) NOT VALID`,
    {
      level: 'failure',
      what: 'constraint intents_lane on outbox.intents is not validated',
      next: 'ALTER TABLE "outbox".intents VALIDATE CONSTRAINT intents_lane',
    },
  ],
  [
    'CREATE OR REPLACE VIEW outbox.breaker_state AS SELECT destination, state, failure_count, last_failure_at, last_error, opened_at, retry_at FROM outbox.breakers',
    {
      level: 'failure',
      what: 'view outbox.breaker_state has another definition than the migration gave it',
      next: SECTION,
    },
  ],
  [
    'DROP VIEW outbox.throughput',
    { level: 'failure', what: 'view outbox.throughput is missing', next: SECTION },
  ],
  [
    'DROP TABLE outbox.rate_limits',
    { level: 'failure', what: 'table outbox.rate_limits is missing', next: SECTION },
  ],
  [
    'ALTER TABLE outbox.dedup SET UNLOGGED',
    {
      level: 'failure',
      what: 'table outbox.dedup has another definition than the migration gave it',
      next: SECTION,
    },
  ],
  [
    'ALTER SEQUENCE outbox.intents_seq_seq CYCLE',
    {
      level: 'failure',
      what: 'sequence outbox.intents_seq_seq has another definition than the migration gave it',
      next: SECTION,
    },
  ],
  [
    `CREATE TRIGGER watch AFTER INSERT ON outbox.intents FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()`,
    { level: 'warning', what: 'trigger watch on outbox.intents is not from a migration', next: SECTION },
  ],
]

describe.each(oldestAndNewest())('drift on $name', ({ major }) => {
  let server: PostgresServer
  let db: TestDatabase
  let clones = 0
  beforeAll(async () => {
    server = await startPostgresServer({ major })
    const template = await server.createDatabase(TEMPLATE)
    await template.pool.end() // a database with connections cannot be cloned
    db = await clone()
  })
  afterAll(async () => {
    await db.drop()
    await server.close()
  })

  const clone = () => openTestDatabase(server.url, `outbox_${++clones}`, TEMPLATE)

  test('a migrated schema has none, whatever the settings of the user', async () => {
    expect(await findingsOf('drift', db.url)).toEqual(NO_DRIFT)
    const settings = {
      search_path: 'outbox, public',
      quote_all_identifiers: 'on',
      intervalstyle: 'iso_8601',
      datestyle: 'German',
      extra_float_digits: '-3',
    }
    for (const [name, value] of Object.entries(settings))
      await db.rows(`ALTER ROLE postgres SET ${name} = ${value}`)
    expect(await findingsOf('drift', db.url)).toEqual(NO_DRIFT)
    await db.rows('ALTER ROLE postgres RESET ALL')
  })

  test.each(['lanes', 'user', 'h'])('a schema with the name %s has none', async (schema) => {
    await migrate({ connectionString: db.url, schema })
    expect(await findingsOf('drift', db.url, { schema })).toEqual(NO_DRIFT)
    await db.rows(`ALTER TABLE "${schema}".intents ADD COLUMN tenant text`)
    expect(await findingsOf('drift', db.url, { schema })).toMatchObject([
      { what: `column ${schema}.intents.tenant is not from a migration` },
    ])
  })

  test('a tracking plan and required encryption are none; a plan that was edited by hand is one', async () => {
    const plan = '{"order_placed": ["order_id"]}'
    for (const call of [`'${plan}', true`, `'${plan}', false`, 'NULL, true']) {
      await db.rows(`SELECT outbox.install_event_plan(${call})`)
      expect(await findingsOf('drift', db.url)).toEqual(NO_DRIFT)
    }
    for (const workspaces of ['{*}', '{default,brand-1}', '{}']) {
      await db.rows('SELECT outbox.require_encryption($1)', [workspaces])
      expect(await findingsOf('drift', db.url)).toEqual(NO_DRIFT)
    }
    const tx = await db.begin()
    try {
      await tx.query(`CREATE OR REPLACE FUNCTION outbox.planned(operation text, payload jsonb) RETURNS jsonb
                      LANGUAGE sql VOLATILE AS 'SELECT NULL::jsonb'`)
      await tx.query('COMMIT')
    } finally {
      tx.release()
    }
    expect(await findingsOf('drift', db.url)).toMatchObject([
      { what: 'function outbox.planned(text, jsonb) has another body than the migration gave it' },
    ])
    await db.rows('SELECT outbox.install_event_plan(NULL, true)')
  })

  test.each(DRIFTS)('%s is found; a statement that it gives repairs it', async (change, finding) => {
    const copy = await clone()
    try {
      await copy.rows(change)
      expect(await findingsOf('drift', copy.url)).toEqual([finding])
      if (finding.next === SECTION) return
      await copy.rows(finding.next)
      expect(await findingsOf('drift', copy.url)).toEqual(NO_DRIFT)
    } finally {
      await copy.drop()
    }
  })
})

describe('schema, partitions, privileges and roles', () => {
  let db: TestDatabase
  beforeEach(async () => {
    db = await createTestDatabase()
  })
  afterEach(() => db.drop())

  test('an older schema, and a newer one that this package may not use, are failures', async () => {
    const [last] = await db.rows<{ version: number }>('SELECT max(version) AS version FROM outbox.migrations')
    const version = last?.version ?? 0
    await db.rows("INSERT INTO outbox.migrations (version, hash, oldest_relay) VALUES (99, 'newer', 99)")
    expect(await findingsOf('schema', db.url)).toEqual([
      {
        level: 'failure',
        what: `schema "outbox" is at version 99, this package supports ${version}`,
        next: 'upgrade customerio-outbox',
      },
    ])
    expect(await findingsOf('drift', db.url)).toEqual([
      ok('not compared: the schema is not at the version of this package'),
    ])
    await db.rows('DELETE FROM outbox.migrations WHERE version >= $1', [version])
    expect(await findingsOf('schema', db.url)).toEqual([
      {
        level: 'failure',
        what: `schema "outbox" is at version ${version - 1}, this package supports ${version}`,
        next: 'customerio-outbox migrate',
      },
    ])
  })

  test("another version of pg-boss' schema is a failure, and so is a missing one", async () => {
    await db.rows('UPDATE outbox_pgboss.version SET version = 1')
    expect(await findingsOf('schema', db.url)).toMatchObject([
      { level: 'ok' },
      { level: 'failure', what: expect.stringMatching(/^schema "outbox_pgboss" is at version 1, /) },
    ])
    await db.rows('DROP SCHEMA outbox_pgboss CASCADE')
    expect(await findingsOf('schema', db.url)).toMatchObject([
      { level: 'ok' },
      { level: 'failure', what: 'schema "outbox_pgboss" of pg-boss does not exist' },
    ])
  })

  test('a missing partition of tomorrow is a warning, one of today a failure; the next step repairs both', async () => {
    const partitionOf = async (parent: string, days: number) => {
      const [row] = await db.rows<{ name: string }>(
        "SELECT $1 || to_char(now() AT TIME ZONE 'UTC' + make_interval(days => $2), '_YYYYMMDD') AS name",
        [parent, days],
      )
      return row?.name
    }
    const fine = [ok('delivered and history have those of today and tomorrow')]
    expect(await findingsOf('partitions', db.url)).toEqual(fine)
    const next = 'SELECT "outbox".ensure_partitions()'
    const tomorrow = await partitionOf('delivered', 1)
    await db.rows(`DROP TABLE outbox.${tomorrow}`)
    const later = { level: 'warning', what: `${tomorrow} is missing, the partition of tomorrow`, next }
    expect(await findingsOf('partitions', db.url)).toEqual([later])
    const lost: unknown[] = []
    for (const parent of ['delivered', 'history']) {
      const today = await partitionOf(parent, 0)
      await db.rows(
        `ALTER TABLE outbox.${parent} DETACH PARTITION outbox.${today}; DROP TABLE outbox.${today}`,
      )
      lost.push({ level: 'failure', what: `${today} is missing, the partition of today`, next })
      expect(await findingsOf('partitions', db.url)).toEqual([...lost, later])
    }
    await db.rows(next)
    expect(await findingsOf('partitions', db.url)).toEqual(fine)
  })

  test.each([
    ['outbox_enqueue', 'enqueue'],
    ['outbox_relay', 'relay, view'],
    ['outbox_viewer', 'view'],
    ['outbox_operator', 'view, operate (pause, resume)'],
  ])('a member of %s may %s', async (role, may) => {
    const user = await createLoginRole(db, role)
    expect(await findingsOf('privileges', user.url)).toEqual([ok(`${user.name} may ${may}`)])
    await user.drop()
  })

  test('a user without a right is told the grant, and gets no error', async () => {
    const user = await createLoginRole(db)
    const grant = `GRANT outbox_viewer TO ${user.name}`
    expect(await findingsOf('privileges', user.url)).toMatchObject([
      { level: 'warning', next: expect.stringContaining(grant) },
    ])
    for (const check of ['schema', 'notifications', 'relays', 'lag', 'dead_letters', 'health'])
      expect(await findingsOf(check, user.url), check).toMatchObject([{ level: 'warning', next: grant }])
    await user.drop()
  })

  test('a missing right of a role is a failure, an excess one a warning; only the owner sees them', async () => {
    await db.rows('REVOKE EXECUTE ON FUNCTION outbox.write_horizon() FROM outbox_relay')
    await db.rows('GRANT SELECT ON outbox.intents TO outbox_viewer')
    expect(await findingsOf('roles', db.url)).toEqual([
      {
        level: 'warning',
        what: 'a role has an excess right: REVOKE SELECT ON TABLE outbox.intents FROM outbox_viewer CASCADE',
        next: 'customerio-outbox migrate, as the owner of the schema',
      },
      {
        level: 'failure',
        what: 'a right is missing: GRANT EXECUTE ON FUNCTION outbox.write_horizon() TO outbox_relay',
        next: 'customerio-outbox migrate, as the owner of the schema',
      },
    ])
    const viewer = await createLoginRole(db, 'outbox_viewer')
    expect(await findingsOf('roles', viewer.url)).toEqual([
      ok('not checked: only the owner of the schema, postgres, may call outbox.role_drift()'),
    ])
    expect(await findingsOf('drift', viewer.url)).toEqual(NO_DRIFT)
    await viewer.drop()
    await migrate({ connectionString: db.url })
    expect(await findingsOf('roles', db.url)).toEqual([ok('every role has exactly its rights')])
  })
})
