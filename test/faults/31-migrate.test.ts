/**
 * A test fails after each of these changes:
 * - without `lock_timeout` (SHORT_LOCKS in migration-locks.ts) migrate reports nothing for 30 s and waits forever, and
 *   every enqueue waits behind it;
 * - without a retry after a lock timeout (`isLocked` returns false) migrate fails at once and reports no wait;
 * - without `lockMigrations` both runs apply the same migration, and one fails.
 */
import { once } from 'node:events'
import type pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { createOutbox } from '../../src/index.ts'
import { migrate } from '../../src/relay.ts'
import { readMigrations } from '../../src/store/migrate/migrations.ts'
import { namesOf } from '../../src/store/names.ts'
import { startCli } from '../support/cli.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { eventually } from '../support/eventually.ts'
import { copyWithMigrations, type PackageCopy } from './support/processes/package-copy.ts'

const ALL = readMigrations(namesOf()).map(({ version }) => version)
/** The version of the newer package's migration that needs a lock for which it must wait for every writer. */
const HOT = ALL.length + 1
const ALL_OF_NEWER = [...ALL, HOT, HOT + 1]

const outbox = createOutbox()
let newer: PackageCopy
beforeAll(async () => {
  newer = await copyWithMigrations([
    'ALTER TABLE "outbox"."intents" ADD COLUMN "note" text;',
    'CREATE FUNCTION "outbox".noted() RETURNS boolean LANGUAGE sql AS $$ SELECT true $$;',
  ])
})
afterAll(() => newer.remove())

let db: TestDatabase
const left = new Set<(how: 'ROLLBACK') => Promise<void>>()
beforeEach(async () => {
  db = await createTestDatabase('empty')
})
afterEach(async () => {
  for (const end of left) await end('ROLLBACK')
  await db.drop()
})

const startMigrate = (main?: string) => startCli(['migrate'], { DATABASE_URL: db.url }, main)
/** Migrates with this package, opens a writer's transaction, and starts `migrate` of the newer package. */
async function startUpgrade() {
  await migrate({ connectionString: db.url })
  return { end: await openWriter(), run: startMigrate(newer.main) }
}
const write = () => db.transaction((tx) => outbox.enqueue(tx, { operation: 'identify', customerId: 1 }))

async function recorded(): Promise<number[]> {
  const rows = await db.rows<{ version: number }>('SELECT version FROM outbox.migrations ORDER BY version')
  return rows.map(({ version }) => version)
}

/** Opens an app's transaction. Returns the function that ends it. */
async function open(statement: (tx: pg.PoolClient) => Promise<unknown>) {
  const tx = await db.begin()
  const end = async (how: 'COMMIT' | 'ROLLBACK') => {
    if (!left.delete(end)) return
    await tx.query(how)
    tx.release()
  }
  left.add(end)
  await statement(tx)
  return end
}

const openWriter = () => open((tx) => outbox.enqueue(tx, { operation: 'identify', customerId: 1 }))

test('31: if two migrates start at once on an empty database, each migration is applied by exactly one of them', async () => {
  const runs = await Promise.all([startMigrate().ended(), startMigrate().ended()])
  expect(runs.map(({ stderr }) => stderr)).toEqual(['', ''])
  expect(runs.map(({ status }) => status)).toEqual([0, 0])
  const applied = runs.flatMap(({ stdout }) => [...stdout.matchAll(/\b\d+(?=,|$)/gm)].map(([n]) => Number(n)))
  expect(applied.sort((a, b) => a - b)).toEqual(ALL)
  expect(await recorded()).toEqual(ALL)
  await write()
})

test('31: apps enqueue while a migration waits for an open transaction', async () => {
  const { end, run } = await startUpgrade()
  await eventually('the report of the wait', () => run.stderr !== '', 10_000)
  expect(run.stderr).toMatch(
    new RegExp(
      `^customerio-outbox: migration ${HOT} is blocked by pid \\d+ \\(\\w+, idle in transaction for \\d+ s\\); retrying for 300 s\n$`,
    ),
  )
  // The transaction is still open. Each write waits for one attempt of migrate at most.
  for (let n = 0; n < 2; n++) {
    await eventually('an attempt of migrate', async () => (await waiting()) > 0)
    await write()
  }
  expect(run.child.exitCode).toBe(null)
  await end('COMMIT')
  expect(await run.ended()).toMatchObject({ status: 0 })
  expect(run.stderr.match(/is blocked by/g)).toHaveLength(1)
  expect(await recorded()).toEqual(ALL_OF_NEWER)
  expect(await db.rows('SELECT FROM outbox.intents')).toHaveLength(3)
})

test('31: a killed migrate leaves no lock, and the next run continues', async () => {
  const { end, run } = await startUpgrade()
  await eventually('a waiting migration', async () => (await waiting()) > 0)
  const exited = once(run.child, 'exit')
  run.child.kill('SIGKILL')
  await exited
  await eventually('its locks to be gone', async () => (await locksOfMigrate()) === 0)
  await write()
  expect((await recorded()).at(-1)).toBe(HOT - 1)
  await end('ROLLBACK')
  const { applied } = await newer.migrate({ connectionString: db.url })
  expect(applied).toEqual([HOT, HOT + 1])
  await write()
})

test('31: a lock that never becomes available causes one clear error, and applied migrations stay', async () => {
  await migrate({ connectionString: db.url })
  const end = await openWriter()
  const failed = newer.migrate({ connectionString: db.url, lockWaitMs: 1_000 })
  await expect(failed).rejects.toThrow(
    `migration ${HOT} could not get its lock within 1 s: end the transactions that are open`,
  )
  expect((await recorded()).at(-1)).toBe(HOT - 1)
  await end('ROLLBACK')
  await newer.migrate({ connectionString: db.url })
  expect(await recorded()).toEqual(ALL_OF_NEWER)
})

async function waiting(): Promise<number> {
  const rows = await db.rows(
    `SELECT FROM pg_locks WHERE NOT granted AND relation = to_regclass('outbox.intents') AND mode = 'AccessExclusiveLock'`,
  )
  return rows.length
}

async function locksOfMigrate(): Promise<number> {
  const rows = await db.rows(
    `SELECT FROM pg_locks JOIN pg_database d ON d.oid = database
     WHERE d.datname = current_database() AND mode IN ('ShareRowExclusiveLock', 'AccessExclusiveLock')`,
  )
  return rows.length
}
