import { drizzle } from 'drizzle-orm/node-postgres'
import pg from 'pg'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createOutbox, type Intent } from '../../src/index.ts'
import { type FakeCustomerIo, startFakeCustomerIo } from '../../src/testing/index.ts'
import { runCli, startCli } from '../support/cli.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { eventually } from '../support/eventually.ts'
import { createLoginRole, type LoginRole } from '../support/login-role.ts'
import { email, everyApi, track } from '../support/relay-harness.ts'

let db: TestDatabase
let fake: FakeCustomerIo
const logins: LoginRole[] = []
beforeEach(async () => {
  db = await createTestDatabase()
  fake = await startFakeCustomerIo()
})
afterEach(async () => {
  await fake.close()
  for (const login of logins.splice(0)) await login.drop()
  await db.drop()
})

async function loginAs(role: string): Promise<LoginRole> {
  const login = await createLoginRole(db, role)
  logins.push(login)
  return login
}

async function enqueue(url: string, intents: Intent[], options = {}): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query('BEGIN')
  await createOutbox().enqueue(client, intents, options)
  await client.query('COMMIT')
  await client.end()
}

test('outbox_enqueue: an app enqueues through pg and Drizzle, and learns of duplicates', async () => {
  const app = await loginAs('outbox_enqueue')
  const pool = new pg.Pool({ connectionString: app.url })
  const outbox = createOutbox()
  const dedupKey = 'once'
  const results = await drizzle(pool).transaction(async (tx) => [
    await outbox.enqueue(tx, track('u1', 1), { dedupKey }),
    await outbox.enqueue(tx, track('u1', 1), { dedupKey }),
    ...(await outbox.enqueue(tx, [track('u2', 1), email('u2', 1)])),
  ])
  expect(results.map(({ duplicate }) => duplicate)).toEqual([false, true, false, false])
  await expect(pool.query('SELECT count(*) FROM outbox.intents')).rejects.toMatchObject({ code: '42501' })
  await pool.end()
  await enqueue(app.url, [track('u3', 1)])
  expect(await db.rows('SELECT FROM outbox.intents')).toHaveLength(4)
})

test('outbox_relay: a relay delivers, maintains the tables, and survives an outage without an error', async () => {
  const [app, login] = [await loginAs('outbox_enqueue'), await loginAs('outbox_relay')]
  await leaveOldThings()
  const relay = startCli(
    [
      ...['relay', '--no-check-region', '--host', '127.0.0.1', '--port', '0', '--request-timeout', '1'],
      ...['--breaker-half-open-after', '0.2', '--breaker-max-half-open-after', '0.4'],
    ],
    { DATABASE_URL: login.url, ...environment() },
  )
  try {
    const [, port] = await relay.printed(/"port":(\d+),"message":"listening"/)
    await relay.printed(/"message":"started"/)
    expect(await oldThings()).toEqual({ dedup: 0, counts: 0, relays: 0, transitions: 0, partitions: 0 })

    await enqueue(app.url, [track('u1', 1), email('u1', 1), ...everyOtherApi()])
    await enqueue(app.url, [track('u1', 2)], { priority: 'bulk' })
    await enqueue(app.url, [track('u1', 3)], { sendAfter: new Date(Date.now() + 1_000) })
    await drained()
    fake.misbehave({ kind: 'badRequest', operation: () => true, times: 1 })
    await enqueue(app.url, [track('refused', 1)])
    fake.misbehave({ kind: 'rateLimit', times: 1, match: ({ api }) => api === 'app' })
    await enqueue(app.url, [email('limited', 1)])
    await drained()

    // After these three failures the lane waits for its backoff.
    fake.misbehave({ kind: 'outage', times: 3 })
    await enqueue(app.url, [track('u1', 4)])
    await drained()

    const outage = fake.misbehave({ kind: 'outage' })
    await enqueue(app.url, [track('u2', 1), track('u3', 1), track('u4', 1)])
    await relay.printed(/"to":"open","message":"breaker changed"/)
    outage()
    await relay.printed(/"to":"closed","message":"breaker changed"/)
    await drained()

    const get = (path: string) => fetch(`http://127.0.0.1:${port}${path}`)
    expect((await get('/readyz')).status).toBe(200)
    expect((await get('/health/customerio')).status).toBe(200)
    expect(await (await get('/metrics')).text()).toContain('customerio_outbox_database_up 1')
    relay.child.kill('SIGTERM')
    expect((await relay.ended()).status).toBe(0)
    expect(relay.stdout.split('\n').filter((line) => /"level":"error"|permission denied/.test(line))).toEqual(
      [],
    )
    expect(await db.rows('SELECT reason, operation FROM outbox.dead_letters')).toEqual([
      { reason: 'rejected', operation: 'track' },
    ])
    expect(fake.counts).toMatchObject({ sends: 2, broadcasts: 1, pipelines: 1, applied: 7 })
  } finally {
    relay.child.kill('SIGKILL')
  }
})

test('outbox_viewer: status works, and pause and resume fail with one line', async () => {
  await enqueue(db.url, [track('u1', 1)])
  const { url } = await loginAs('outbox_viewer')
  const status = await runCli(['status', '--json'], { DATABASE_URL: url })
  expect(status).toMatchObject({ status: 0, stderr: '' })
  expect(JSON.parse(status.stdout)).toMatchObject({ backlog: [{ destination: 'default/track', pending: 1 }] })
  for (const command of ['pause', 'resume']) {
    const refused = await runCli([command, 'default/track'], { DATABASE_URL: url })
    expect(refused.stderr).toMatch(/^customerio-outbox: permission denied for function \w+: grant .*\n$/)
    expect(refused).toMatchObject({ status: 2, stdout: '' })
  }
  expect(await db.rows('SELECT FROM outbox.breakers')).toEqual([])
})

test('outbox_operator: status, pause and resume work, and record the user', async () => {
  await enqueue(db.url, [track('u1', 1)])
  const operator = await loginAs('outbox_operator')
  const env = { DATABASE_URL: operator.url }
  const paused = await runCli(['pause', 'default/track', '--reason', 'ticket 1234'], env)
  expect(paused).toMatchObject({ status: 0, stderr: '' })
  expect((await runCli(['status'], env)).stdout).toContain(`paused by ${operator.name}: ticket 1234`)
  expect((await runCli(['resume', 'default/track'], env)).stdout).toMatch(/^default\/track is resumed/)
  const transitions = 'SELECT from_state, to_state, reason FROM outbox.breaker_transitions ORDER BY ordinal'
  expect(await db.rows(transitions)).toEqual([
    { from_state: 'closed', to_state: 'paused', reason: `paused by ${operator.name}: ticket 1234` },
    { from_state: 'paused', to_state: 'closed', reason: `resumed by ${operator.name}` },
  ])
})

function environment(): Record<string, string> {
  const { siteId, trackApiKey, appApiKey, pipelinesWriteKey } = everyApi(fake)
  return {
    CUSTOMERIO_SITE_ID: siteId,
    CUSTOMERIO_TRACK_API_KEY: trackApiKey,
    CUSTOMERIO_APP_API_KEY: appApiKey,
    CUSTOMERIO_PIPELINES_WRITE_KEY: pipelinesWriteKey,
    CUSTOMERIO_TRACK_URL: fake.url,
    CUSTOMERIO_APP_URL: fake.url,
    CUSTOMERIO_PIPELINES_URL: fake.url,
  }
}

function everyOtherApi(): Intent[] {
  return [
    { operation: 'triggerBroadcast', broadcastId: 1 },
    { operation: 'pipelines.track', message: { userId: 'u1', event: 'step' } },
  ]
}

async function drained(): Promise<void> {
  await eventually('an empty queue', async () => (await db.rows('SELECT FROM outbox.intents')).length === 0)
}

/** Inserts one obsolete row of each kind that maintenance deletes. */
async function leaveOldThings(): Promise<void> {
  await db.rows(
    `INSERT INTO outbox.dedup VALUES ('default', 'old', gen_random_uuid(), now() - interval '1 hour')`,
  )
  await db.rows(`INSERT INTO outbox.settled_counts VALUES (now() - interval '2 days', 'old/track', 0, 0, 1)`)
  await db.rows(
    `INSERT INTO outbox.relays (relay_id, host, pid, version, started_at, last_seen_at)
     VALUES (gen_random_uuid(), 'old', 1, '0', now() - interval '1 day', now() - interval '1 day')`,
  )
  await db.rows(
    `INSERT INTO outbox.breaker_transitions (destination, at, from_state, to_state, reason)
     VALUES ('old/track', now() - interval '60 days', 'closed', 'open', 'old')`,
  )
  await db.rows(
    `CREATE TABLE outbox.delivered_20200101 PARTITION OF outbox.delivered FOR VALUES FROM ('2020-01-01') TO ('2020-01-02')`,
  )
}

async function oldThings() {
  const [row] = await db.rows(
    `SELECT (SELECT count(*)::int FROM outbox.dedup) AS dedup,
            (SELECT count(*)::int FROM outbox.settled_counts WHERE destination = 'old/track') AS counts,
            (SELECT count(*)::int FROM outbox.relays WHERE host = 'old') AS relays,
            (SELECT count(*)::int FROM outbox.breaker_transitions WHERE destination = 'old/track') AS transitions,
            (SELECT count(*)::int FROM pg_class WHERE relname = 'delivered_20200101') AS partitions`,
  )
  return row
}
