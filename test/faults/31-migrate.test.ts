/**
 * Shown to fail: without `lock_timeout` (SHORT_LOCKS in migration-locks.ts) migrate says nothing for 30 s and waits for ever,
 * with every enqueue behind it; where a lock that was not to be had is not tried again (`isLocked` says false) it fails at
 * once, without a word of waiting; without `takeTurn` both runs apply the same migration, and one fails.
 */
import { once } from 'node:events'
import type pg from 'pg'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createOutbox, migrate } from '../../src/index.ts'
import { readMigrations } from '../../src/store/migrate/migrations.ts'
import { namesOf } from '../../src/store/names.ts'
import { startCli } from '../support/cli.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { eventually } from '../support/eventually.ts'

const ALL = readMigrations(namesOf())
/** The first that alters outbox.intents, which needs a lock that no writer may hold. */
const HOT =
  ALL.find(({ statements }) => statements.some((sql) => /^ALTER TABLE "outbox"\."intents"/m.test(sql)))
    ?.version ?? 0

const outbox = createOutbox()
let db: TestDatabase
const left = new Set<(how: 'ROLLBACK') => Promise<void>>()
beforeEach(async () => {
  db = await createTestDatabase('empty')
})
afterEach(async () => {
  for (const end of left) await end('ROLLBACK')
  await db.drop()
})

const startMigrate = () => startCli(['migrate'], { DATABASE_URL: db.url })
const write = () => db.transaction((tx) => outbox.enqueue(tx, { operation: 'identify', customerId: 1 }))

async function recorded(): Promise<number[]> {
  const rows = await db.rows<{ version: number }>('SELECT version FROM outbox.migrations ORDER BY version')
  return rows.map(({ version }) => version)
}

/** A schema as an earlier version of the package left it, just before the migration that needs the lock. */
async function migrateToBeforeHot(): Promise<void> {
  await migrate({ connectionString: db.url })
  await db.rows('DROP SCHEMA outbox CASCADE')
  await db.rows('CREATE SCHEMA outbox')
  await db.rows(
    'CREATE TABLE outbox.migrations (version int PRIMARY KEY, hash text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())',
  )
  for (const { version, hash, statements } of ALL.slice(0, HOT - 1)) {
    for (const statement of statements) await db.rows(statement)
    await db.rows('INSERT INTO outbox.migrations (version, hash) VALUES ($1, $2)', [version, hash])
  }
}

/** A transaction of an app's that stays open; what ends it. */
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

test('31: two migrates at once, on an empty database: each migration is applied by one of them', async () => {
  const runs = await Promise.all([startMigrate().ended(), startMigrate().ended()])
  expect(runs.map(({ stderr }) => stderr)).toEqual(['', ''])
  expect(runs.map(({ status }) => status)).toEqual([0, 0])
  const applied = runs.flatMap(({ stdout }) => [...stdout.matchAll(/\b\d+(?=,|$)/gm)].map(([n]) => Number(n)))
  expect(applied.sort((a, b) => a - b)).toEqual(ALL.map(({ version }) => version))
  expect(await recorded()).toEqual(ALL.map(({ version }) => version))
  await write()
})

test('31: no lock held on a hot table: apps enqueue while a migration waits for a transaction that is open', async () => {
  await migrateToBeforeHot()
  const end = await openWriter()
  const run = startMigrate()
  await eventually('a word of what it waits for', () => run.stderr !== '', 10_000)
  expect(run.stderr).toMatch(
    new RegExp(
      `^customerio-outbox: migration ${HOT} is blocked by pid \\d+ \\(\\w+, idle in transaction for \\d+ s\\); retrying for 300 s\n$`,
    ),
  )
  // Again and again while the transaction is still open: each may have to stand behind one try, and no longer.
  for (let n = 0; n < 2; n++) {
    await eventually('migrate to be at it', async () => (await waiting()) > 0)
    await write()
  }
  expect(run.child.exitCode).toBe(null)
  await end('COMMIT')
  expect(await run.ended()).toMatchObject({ status: 0 })
  expect(run.stderr.match(/is blocked by/g)).toHaveLength(1)
  expect(await recorded()).toEqual(ALL.map(({ version }) => version))
  expect(await db.rows('SELECT FROM outbox.intents')).toHaveLength(3)
})

test('31: migrate killed half-way holds nothing, and the next run goes on', async () => {
  await migrateToBeforeHot()
  const end = await openWriter()
  const run = startMigrate()
  await eventually('a migration that waits', async () => (await waiting()) > 0)
  const exited = once(run.child, 'exit')
  run.child.kill('SIGKILL')
  await exited
  await eventually('its locks to be gone', async () => (await locksOfMigrate()) === 0)
  await write()
  expect((await recorded()).at(-1)).toBe(HOT - 1)
  await end('ROLLBACK')
  const { applied } = await migrate({ connectionString: db.url })
  expect(applied[0]).toBe(HOT)
  await write()
})

test('31: a lock that is never to be had is one clear line, and what was applied stays', async () => {
  await migrateToBeforeHot()
  const end = await openWriter()
  const failed = migrate({ connectionString: db.url, lockWaitMs: 1_000 })
  await expect(failed).rejects.toThrow(
    `migration ${HOT} could not get its lock within 1 s: end the transactions that are open`,
  )
  expect((await recorded()).at(-1)).toBe(HOT - 1)
  await end('ROLLBACK')
  await migrate({ connectionString: db.url })
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
