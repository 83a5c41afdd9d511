/**
 * A test fails after each of these changes:
 * - without `#checkOrigin` in `start()` a relay on a copy sends the original's email;
 * - with a comparison of oids alone the copy on another server is not detected;
 * - without the check of each new connection a relay whose address leads to a copy sends from it before its next poll;
 * - without `isCopy` in the poll a relay whose connections stay open continues to send.
 */
import pg from 'pg'
import { afterEach, expect, inject, test } from 'vitest'
import { createOutbox } from '../../src/index.ts'
import { createRelay } from '../../src/relay.ts'
import { type FakeCustomerIo, startFakeCustomerIo } from '../../src/testing/index.ts'
import { type CliProcess, type CliRun, startCli } from '../support/cli.ts'
import { createTestDatabase, openTestDatabase, type TestDatabase } from '../support/database.ts'
import { eventually } from '../support/eventually.ts'
import { email, everyApi, QUICK, startHarness, track } from '../support/relay-harness.ts'
import { startPair } from './support/servers/failover.ts'
import { startPostgresServer } from './support/servers/postgres-server.ts'

const outbox = createOutbox()
let cleanup = new AsyncDisposableStack()
afterEach(async () => {
  await cleanup.disposeAsync()
  cleanup = new AsyncDisposableStack()
})

const fakeCustomerIo = async () => cleanup.adopt(await startFakeCustomerIo(), (fake) => fake.close())
const keep = (db: TestDatabase) => cleanup.adopt(db, (it) => it.drop())

/** Enqueues two messages that are due and a scheduled one. */
async function enqueueThree(db: TestDatabase): Promise<void> {
  await db.transaction((tx) => outbox.enqueue(tx, [email('p1', 1), email('p2', 2)]))
  const sendAfter = new Date(Date.now() + 3_600_000)
  await db.transaction((tx) => outbox.enqueue(tx, email('p3', 3), { sendAfter }))
}

function startRelay(databaseUrl: string, fake: FakeCustomerIo, ...flags: string[]): CliProcess {
  const relay = startCli(['relay', '--no-check-region', ...flags], {
    DATABASE_URL: databaseUrl,
    CUSTOMERIO_APP_API_KEY: 'app-key',
    CUSTOMERIO_APP_URL: fake.url,
  })
  cleanup.defer(async () => {
    if (relay.child.exitCode === null) relay.child.kill('SIGTERM')
    await relay.ended()
  })
  return relay
}

const optionsOf = (db: TestDatabase, fake: FakeCustomerIo) => ({
  connectionString: db.url,
  customerio: everyApi(fake),
  ...QUICK,
})

/** Delivers one intent of this database to a fake Customer.io of its own. */
async function deliverOne(db: TestDatabase): Promise<void> {
  const fake = await fakeCustomerIo()
  const relay = createRelay(optionsOf(db, fake))
  await db.transaction((tx) => outbox.enqueue(tx, email('p0', 0)))
  await relay.start()
  await fake.until(() => fake.sends.length === 1)
  await relay.stop()
}

/** Expects one line on stderr, exit status 2 and no request. */
function expectRefused({ status, stderr }: CliRun, fake: FakeCustomerIo): void {
  expect(stderr.trimEnd().split('\n')).toHaveLength(1)
  expect(stderr).toMatch(/^customerio-outbox: This database is a copy: its outbox belongs to database "/)
  expect(stderr).toContain("A relay would send the copy's 3 queued intents to Customer.io.")
  expect(stderr).toContain('--accept-copy')
  expect(status).toBe(2)
  expect(fake.counts.requests).toBe(0)
}

const nameOf = (db: TestDatabase) => new URL(db.url).pathname.slice(1)

/** Runs `sql` on the maintenance database after the sessions of `db` have ended. */
async function withoutSessions(db: TestDatabase, sql: string): Promise<void> {
  const server = new pg.Client({ connectionString: inject('serverUrl') })
  await server.connect()
  try {
    const sessions = `FROM pg_stat_activity WHERE datname = '${nameOf(db)}'`
    await server.query(`SELECT pg_terminate_backend(pid) ${sessions}`)
    await eventually(
      'the sessions to end',
      async () => (await server.query(`SELECT ${sessions}`)).rowCount === 0,
    )
    await server.query(sql)
  } finally {
    await server.end()
  }
}

/** A copy in the same cluster. */
async function copyOf(db: TestDatabase): Promise<TestDatabase> {
  await withoutSessions(db, 'SELECT')
  return keep(await openTestDatabase(inject('serverUrl'), `${nameOf(db)}_copy`, nameOf(db)))
}

test('53: a relay refuses a copy of the database, and sends after --accept-copy', async () => {
  const fake = await fakeCustomerIo()
  const original = keep(await createTestDatabase())
  await enqueueThree(original)
  const copy = await copyOf(original)

  expectRefused(await startRelay(copy.url, fake).ended(), fake)
  const [health] = await copy.rows<{ reasons: string[] }>('SELECT reasons FROM outbox.health')
  expect(health?.reasons).toContainEqual(expect.stringMatching(/^this database is a copy of outbox_test_/))

  const accepted = startRelay(copy.url, fake, '--accept-copy')
  await fake.until(() => fake.sends.length === 2)
  expect(accepted.stdout).toContain('copied database accepted')
  expect(await copy.rows('SELECT is_copy FROM outbox.check_origin()')).toEqual([{ is_copy: false }])
  const next = cleanup.adopt(createRelay(optionsOf(copy, fake)), (it) => it.stop())
  await next.start() // the acceptance is recorded
})

test('53: a renamed database is no copy', async () => {
  const db = keep(await createTestDatabase())
  const renamed = `${nameOf(db)}_renamed`
  await withoutSessions(db, `ALTER DATABASE ${nameOf(db)} RENAME TO ${renamed}`)
  const client = new pg.Client({ connectionString: new URL(`/${renamed}`, db.url).toString() })
  await client.connect()
  const { rows } = await client.query('SELECT is_copy, current_name FROM outbox.check_origin()')
  await client.end()
  expect(rows).toEqual([{ is_copy: false, current_name: renamed }])
  await withoutSessions(db, `ALTER DATABASE ${renamed} RENAME TO ${nameOf(db)}`)
})

test('53: a database without the record of its origin counts as a copy', async () => {
  const fake = await fakeCustomerIo()
  const db = keep(await createTestDatabase())
  await enqueueThree(db)
  await db.rows('DELETE FROM outbox.origin')
  const relay = cleanup.adopt(createRelay(optionsOf(db, fake)), (it) => it.stop())
  await expect(relay.start()).rejects.toThrow('belongs to a database that it does not name')
  expect(fake.counts.requests).toBe(0)
})

test('53: a relay whose connections stay open, as behind a pooler, detects the copy with its next poll', async () => {
  const h = await startHarness()
  cleanup.defer(() => h.close())
  const connections = 2
  const relay = await h.relay({ connections })
  const found = new Promise((resolve) => relay.once('copyFound', resolve))
  await h.enqueue(...Array.from({ length: 40 }, (_, n) => track(`p${n}`, n)))
  await h.drained()
  const sessions = () =>
    h.db.rows(
      "SELECT FROM pg_stat_activity WHERE datname = $1 AND application_name = 'customerio-outbox relay'",
      [nameOf(h.db)],
    )
  await eventually('every connection of the pool', async () => (await sessions()).length === connections)
  await h.db.rows('UPDATE outbox.origin SET database_oid = 1')
  expect(await found).toMatchObject({ code: 'COPIED_DATABASE', queued: 0 })
  await relay.stop()
})

test('53: a relay continues on a promoted replica, and stops without a request when its address leads to a copy on another server', async () => {
  const fake = await fakeCustomerIo()
  const pair = cleanup.adopt(await startPair(), (it) => it.close())
  const db = await pair.createDatabase()
  cleanup.defer(() => db.pool.end())
  const relay = startRelay(db.url, fake, '--poll-interval', '60')
  await relay.printed(/"message":"started"/)

  await pair.failover()
  await eventually('the new primary to take an intent', () =>
    db
      .transaction((tx) => outbox.enqueue(tx, email('p0', 0)))
      .then(
        () => true,
        () => false,
      ),
  )
  await fake.until(() => fake.sends.length === 1)
  expect(relay.child.exitCode).toBeNull()

  const other = cleanup.adopt(await startPostgresServer({ ownIdentifier: true }), (it) => it.close())
  const restored = await other.createDatabase()
  cleanup.defer(() => restored.pool.end())
  await deliverOne(restored) // creates pg-boss' queue, which any copy has
  await enqueueThree(restored)
  await restored.rows('DELETE FROM outbox.origin')
  const [origin] = await db.rows<{ row: unknown }>('SELECT to_jsonb(o) AS row FROM outbox.origin o')
  await restored.rows(
    'INSERT INTO outbox.origin SELECT * FROM jsonb_populate_record(NULL::outbox.origin, $1)',
    [JSON.stringify(origin?.row)],
  )
  const [check] = await restored.rows(
    'SELECT is_copy, origin_oid = current_oid AS same FROM outbox.check_origin()',
  )
  expect(check, 'only the system identifier differs').toEqual({ is_copy: true, same: true })

  const before = fake.counts.requests
  // Like a changed DNS record: open connections stay, and new ones lead to the copy. The test cuts the open ones one by one,
  // so that none has a statement in flight: the relay would report a lost database.
  pair.address.lead(other.url)
  const ofPool = pair.address.connections.filter(
    (each) => each.mentions('customerio-outbox relay') && !each.mentions('customerio-outbox relay jobs'),
  )
  for (const one of ofPool) {
    pair.address.cut('rst', (each) => each === one)
    await eventually('the connection to end', () => !pair.address.connections.includes(one))
  }
  const { status, stderr } = await relay.ended()
  expect(stderr).toContain("A relay would send the copy's 3 queued intents")
  expect(status).toBe(2)
  expect(fake.counts.requests).toBe(before)
})
