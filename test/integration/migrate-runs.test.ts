import pg from 'pg'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createOutbox } from '../../src/index.ts'
import { migrate, migrationScript } from '../../src/relay.ts'
import { readMigrations } from '../../src/store/migrate/migrations.ts'
import { namesOf } from '../../src/store/names.ts'
import { dumpSchema } from '../../scripts/schema-dump.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { eventually } from '../support/eventually.ts'

const ALL = readMigrations(namesOf()).map(({ version }) => version)
const LAST = ALL.length

let db: TestDatabase
beforeEach(async () => {
  db = await createTestDatabase('empty')
})
afterEach(() => db.drop())

const run = (schema?: string) => migrate({ connectionString: db.url, schema })
const script = (schema?: string) => migrationScript({ connectionString: db.url, schema })
const dump = (schema = 'outbox') => db.transaction((client) => dumpSchema(client, schema))

async function recorded(): Promise<number[]> {
  const rows = await db.rows<{ version: number }>('SELECT version FROM outbox.migrations ORDER BY version')
  return rows.map(({ version }) => version)
}

async function enqueueWorks(schema?: string): Promise<void> {
  const outbox = createOutbox({ schema })
  const result = await db.transaction((tx) => outbox.enqueue(tx, { operation: 'identify', customerId: 1 }))
  expect(result.duplicate).toBe(false)
}

test('an empty database gets tables, functions, views, partitions and the schema of pg-boss', async () => {
  expect(await run()).toEqual({ applied: ALL, version: LAST, notGranted: [] })
  expect(await recorded()).toEqual(ALL)
  await enqueueWorks()
  const partitions = await db.rows("SELECT FROM pg_inherits WHERE inhparent = 'outbox.delivered'::regclass")
  expect(partitions).toHaveLength(3)
  expect(await db.rows('SELECT FROM outbox_pgboss.version')).toHaveLength(1)
})

test('a database with another encoding than UTF-8 is rejected and unchanged', async () => {
  const latin = new URL(db.url)
  latin.pathname += '_latin1'
  const name = latin.pathname.slice(1)
  await db.rows(`CREATE DATABASE ${name} TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'`)
  try {
    const refused = migrate({ connectionString: latin.toString() })
    await expect(refused).rejects.toThrow('a database of encoding UTF8 is needed, this one is LATIN1')
    const client = new pg.Client({ connectionString: latin.toString() })
    await client.connect()
    const { rows } = await client.query("SELECT FROM pg_namespace WHERE nspname LIKE 'outbox%'")
    await client.end()
    expect(rows).toEqual([])
  } finally {
    await db.rows(`DROP DATABASE ${name} WITH (FORCE)`)
  }
})

test('a second run applies nothing', async () => {
  await run()
  const before = await dump()
  expect(await run()).toEqual({ applied: [], version: LAST, notGranted: [] })
  expect(await dump()).toBe(before)
  expect(await script()).toBe('')
})

test.each([1, 2, 3])('of two runs at once, only one applies each migration (pair %i)', async () => {
  const results = await Promise.all([run(), run()])
  expect(results.flatMap(({ applied }) => applied).sort((a, b) => a - b)).toEqual(ALL)
  expect(await recorded()).toEqual(ALL)
  await enqueueWorks()
})

describe('a killed run', () => {
  /** Kills a migration while it waits for an open transaction, which has created one of its objects by `statement`. */
  async function killedAt(statement: string): Promise<void> {
    await db.rows('CREATE SCHEMA outbox')
    const blocker = await db.begin()
    await blocker.query(statement)
    const { rows } = await blocker.query('SELECT pg_backend_pid() AS pid')
    const killed = run().then(
      () => undefined,
      (error: unknown) => error,
    )
    await eventually('a waiting migration to end', async () => {
      const ended = await db.rows(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND $1 = ANY (pg_blocking_pids(pid))`,
        [rows[0].pid],
      )
      return ended.length > 0
    })
    expect(await killed).toMatchObject({ code: '57P01' })
    await blocker.query('ROLLBACK')
    blocker.release()
  }

  test('in the first migration leaves nothing, and the next run applies all', async () => {
    await killedAt('CREATE TABLE outbox.settled_counts (minute int)')
    expect(await recorded()).toEqual([])
    expect(await db.rows("SELECT to_regclass('outbox.breakers') AS table")).toEqual([{ table: null }])
    expect(await run()).toEqual({ applied: ALL, version: LAST, notGranted: [] })
    await enqueueWorks()
  })

  test('in the second migration keeps the first, and the next run applies the rest', async () => {
    await killedAt(
      "CREATE FUNCTION outbox.lane_of(text, text, text) RETURNS smallint LANGUAGE sql AS 'SELECT 1::smallint'",
    )
    expect(await recorded()).toEqual([1])
    expect(await db.rows("SELECT FROM pg_proc WHERE pronamespace = 'outbox'::regnamespace")).toEqual([])
    expect(await run()).toEqual({ applied: ALL.slice(1), version: LAST, notGranted: [] })
    const killedOnce = await dump()
    await enqueueWorks()
    await db.rows('DROP SCHEMA outbox CASCADE')
    await run()
    expect(await dump()).toBe(killedOnce)
  })
})

test('a newer schema that supports this version is left unchanged without an error, so that a rollback can be deployed', async () => {
  await run()
  await db.rows("INSERT INTO outbox.migrations (version, hash, oldest_relay) VALUES (99, 'newer', $1)", [
    LAST,
  ])
  const before = await dump()
  expect(await run()).toEqual({ applied: [], version: 99, notGranted: [] })
  expect(await script()).toBe('')
  expect(await dump()).toBe(before)
})

test('an older table of migrations gets the column oldest_relay', async () => {
  await run()
  await db.rows('ALTER TABLE outbox.migrations DROP COLUMN oldest_relay')
  expect(await run()).toEqual({ applied: [], version: LAST, notGranted: [] })
  await db.rows("INSERT INTO outbox.migrations (version, hash) VALUES (99, 'newer')")
  await expect(run()).rejects.toThrow('use a newer customerio-outbox')
})

test('every migration after the first release declares its oldest relay', () => {
  const FIRST_RELEASE = 12 // no relay is older than 0.1.0
  for (const { version, oldestRelay, statements } of readMigrations(namesOf())) {
    if (version <= FIRST_RELEASE) expect(oldestRelay).toBe(version)
    else expect(statements.join('\n'), `migration ${version}`).toMatch(/^-- oldest relay: \d+$/m)
    expect(oldestRelay).toBeLessThanOrEqual(version)
  }
})

test('a schema that is newer than the package is rejected and unchanged', async () => {
  await run()
  await db.rows("INSERT INTO outbox.migrations (version, hash) VALUES (99, 'from the future')")
  const before = await dump()
  const refusal = `The schema "outbox" is at version 99 and this package knows ${LAST}: use a newer customerio-outbox`
  await expect(run()).rejects.toThrow(refusal)
  await expect(script()).rejects.toThrow(refusal)
  expect(await dump()).toBe(before)
})

describe('migrationScript', () => {
  /** Runs the script in one simple query, as `psql -f` does. */
  async function apply(text: string): Promise<void> {
    const client = new pg.Client({ connectionString: db.url })
    await client.connect()
    await client.query(text)
    await client.end()
  }

  test('creates the same schemas as migrate, and afterwards both find nothing to do', async () => {
    await apply(await script())
    const made = [await dump(), await dump('outbox_pgboss')]
    expect(await script()).toBe('')
    expect(await run()).toEqual({ applied: [], version: LAST, notGranted: [] })
    await enqueueWorks()
    await db.rows('DROP SCHEMA outbox, outbox_pgboss CASCADE')
    await run()
    expect(made).toEqual([await dump(), await dump('outbox_pgboss')])
  })

  test('has only the remaining migrations', async () => {
    const all = await script()
    await apply(all.split('\nBEGIN;\n').slice(0, LAST).join('\nBEGIN;\n'))
    expect(await recorded()).toEqual(ALL.slice(0, -1))
    const rest = await script()
    expect(rest).not.toContain('CREATE TABLE "outbox"."intents"')
    await apply(rest)
    const inTwo = await dump()
    await db.rows('DROP SCHEMA outbox, outbox_pgboss CASCADE')
    await run()
    expect(inTwo).toBe(await dump())
  })
})
