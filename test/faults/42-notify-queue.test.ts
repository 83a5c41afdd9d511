/**
 * A test fails after each of these changes:
 * - if `outbox.notify` does not check how full the queue is, `enqueue` fails with 54000 at COMMIT;
 * - if the relay counts as listening while the queue is full (listener.ts), the flag stays on and the relay reports
 *   nothing;
 * - without `coalesce` in `notification_queue`, a session that works, and so waits for nothing, is named as the holder.
 *
 * `max_notify_queue_pages` makes the queue of notifications small. PostgreSQL has it since version 17, so the embedded server
 * has it.
 */
import pg from 'pg'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { RelayEvents } from '../../src/relay/events.ts'
import { runCli } from '../support/cli.ts'
import { eventually } from '../support/eventually.ts'
import { createLoginRole } from '../support/login-role.ts'
import { type Harness, startHarness, stepOf, track } from '../support/relay-harness.ts'
import { type PostgresServer, startPostgresServer } from './support/servers/postgres-server.ts'

/** A little more than the time between two checks of the LISTEN connection. */
const CHECK_MS = 15_000

let server: PostgresServer
let h: Harness
let attacker: pg.Client | undefined
let attackerPid: number
beforeEach(async () => {
  server = await startPostgresServer({ settings: ['max_notify_queue_pages=64'] })
  h = await startHarness({ sequenceOf: stepOf }, await server.createDatabase())
})
afterEach(async () => {
  await attacker?.end()
  await h.close()
  await server.close()
})

/** Fills the queue as a role with no right but CONNECT: one session listens and keeps a transaction open, another notifies. */
async function fillQueue(): Promise<void> {
  const role = await createLoginRole(h.db)
  const session = new pg.Client({ connectionString: role.url, application_name: 'reports' })
  attacker = session
  session.on('error', () => {}) // the test terminates it
  await session.connect()
  await session.query('LISTEN junk')
  await session.query('BEGIN')
  const { rows } = await session.query('SELECT pg_backend_pid() AS pid')
  attackerPid = rows[0].pid
  const filler = new pg.Client({ connectionString: role.url })
  await filler.connect()
  const fill = () => filler.query("SELECT pg_notify('junk', repeat('x', 7900))").then(() => false)
  await eventually('a full queue', () => fill().catch(({ code }) => code === '54000'))
  await filler.end()
}

async function flag(): Promise<number | undefined> {
  const [row] = await h.db.rows<{ value: string }>(
    "SELECT pg_sequence_last_value('outbox.notify_flag'::regclass) AS value",
  )
  return Number(row?.value)
}

async function delivered(count: number): Promise<void> {
  await h.fake.until(({ counts }) => counts.applied === count, { timeoutMs: 5_000 })
}

test('42: the queue of notifications is full: apps commit, relays deliver and change breakers, and health names the session that holds it', async () => {
  const relay = await h.relay()
  const events: string[] = []
  const errors: string[] = []
  relay.on('notListening', ({ reason }: RelayEvents['notListening'][0]) => events.push(reason))
  relay.on('listening', () => events.push('listening'))
  relay.on('error', ({ message }) => errors.push(message))
  await eventually('the flag to be on', async () => (await flag()) === 2)
  await fillQueue()
  expect(await flag()).toBe(2)

  await h.enqueue(track('ada', 1)) // its COMMIT must not fail
  await delivered(1)
  const endOutage = h.fake.misbehave({ kind: 'outage' })
  await h.enqueue(...Array.from({ length: 10 }, (_, n) => track(`p${n}`, 1)))
  await eventually('an open breaker', async () => (await breaker()) !== 'closed')
  endOutage()
  await delivered(11)
  await eventually('a closed breaker', async () => (await breaker()) === 'closed')
  await h.db.rows("SELECT outbox.pause('default/track', 'a test')")
  await h.db.rows("SELECT outbox.resume('default/track')")
  h.fake.misbehave({ kind: 'rateLimit', times: 1 })
  await h.enqueue(track('bob', 1))
  await delivered(12)

  await eventually('the relay to count as not listening', () => events.length > 0, CHECK_MS)
  await eventually('the flag to be off', async () => (await flag()) === 1)
  const named = new RegExp(
    `process ${attackerPid} .*application 'reports'.*pg_terminate_backend\\(${attackerPid}\\)`,
  )
  const [health] = await h.db.rows<{ reasons: string[] }>('SELECT reasons FROM outbox.health')
  expect(health?.reasons).toContainEqual(expect.stringMatching(named))
  const doctor = await runCli(['doctor'], { DATABASE_URL: h.db.url })
  expect(doctor.stdout).toMatch(/^failure {2}notifications .*queue of notifications is \d+ % full/m)
  expect(doctor.stdout).toMatch(named)
  expect(doctor.status).toBe(1)

  await h.db.rows('SELECT pg_terminate_backend($1)', [attackerPid])
  await eventually('the relay to listen again', () => events.includes('listening'), CHECK_MS)
  await eventually('the flag to be on', async () => (await flag()) === 2)
  await h.enqueue(track('cy', 1))
  await delivered(13)
  expect(events).toEqual(['queue_full', 'listening'])
  expect(errors).toEqual([])
  expect(h.fake.counts).toMatchObject({ applied: 13, outOfOrder: 0 })
})

test('42: the queue is full, no relay runs, and a former relay left the flag on: apps commit', async () => {
  await h.db.rows("SELECT setval('outbox.notify_flag', 2)")
  await fillQueue()
  await h.enqueue(track('ada', 1))
  const { error } = await h.db.rows("SELECT pg_notify('outbox:wake', '')").then(
    () => ({ error: undefined }),
    ({ code }) => ({ error: code }),
  )
  expect(error).toBe('54000') // a notification by enqueue would fail like this
  const relay = h.relay()
  await delivered(1)
  await relay
  await eventually('the flag to be off', async () => (await flag()) === 1)
})

test('42: a session that works in a transaction is not named in place of the one that holds the queue', async () => {
  const worker = new pg.Client({ connectionString: h.db.url, application_name: 'report' })
  await worker.connect()
  const works = worker.query('DO $$ BEGIN LOOP END LOOP; END $$').catch(({ code }) => code)
  await fillQueue()
  const [queue] = await h.db.rows('SELECT holder_pid FROM outbox.notification_queue()')
  expect(queue).toEqual({ holder_pid: attackerPid })
  await h.db.rows(
    "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = 'report' AND state = 'active'",
  )
  expect(await works).toBe('57014')
  await worker.end()
})

test('42: if the outbox has no right to see other sessions, `notification_queue` names the missing right', async () => {
  await fillQueue()
  await h.db.rows('CREATE ROLE plain NOLOGIN')
  await h.db.rows('ALTER FUNCTION outbox.notification_queue() OWNER TO plain')
  const [queue] = await h.db.rows('SELECT holder_pid, holder FROM outbox.notification_queue()')
  expect(queue).toEqual({
    holder_pid: null,
    holder: expect.stringMatching(/GRANT pg_read_all_stats TO plain/),
  })
})

async function breaker(): Promise<string> {
  const [row] = await h.db.rows<{ state: string }>('SELECT state FROM outbox.breakers')
  return row?.state ?? 'closed'
}
