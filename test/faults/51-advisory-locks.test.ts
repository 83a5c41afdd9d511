/**
 * A test fails after each of these changes:
 * - with pg-boss' advisory locks (`withRowLocks` returns its text unchanged) the queue of a new destination is not
 *   created;
 * - with `pg_try_advisory_xact_lock` in promote-scheduled.ts the scheduled intent is not delivered;
 * - with `pg_advisory_xact_lock` in ensure_partitions the day's partition is not created;
 * - with `pg_advisory_lock` in migration-locks.ts migrate does not end;
 * - without the reason for overdue scheduled intents the view `health` reports ok.
 */
import pg from 'pg'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { migrate } from '../../src/relay.ts'
import { LaneJobs, queueOf } from '../../src/relay/dispatch/lane-jobs.ts'
import { JobQueues } from '../../src/relay/jobs/job-queues.ts'
import { openDatabase } from '../../src/store/connection/database.ts'
import { createTestDatabase } from '../support/database.ts'
import { eventually } from '../support/eventually.ts'
import { createLoginRole, type LoginRole } from '../support/login-role.ts'
import { type Harness, peopleOfOneLane, startHarness, track } from '../support/relay-harness.ts'

let h: Harness
const clients: pg.Client[] = []
const logins: LoginRole[] = []
beforeEach(async () => {
  h = await startHarness()
})
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.end()))
  for (const login of logins.splice(0)) await login.drop()
  await h.close()
})

async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url, application_name: 'test 51' })
  clients.push(client)
  await client.connect()
  return client
}

async function connectAs(memberOf?: string): Promise<pg.Client> {
  const login = await createLoginRole(h.db, memberOf)
  logins.push(login)
  return connect(login.url)
}

/** The names of pg-boss' exclusive jobs. It derives the keys of its advisory locks from them and its schema's name. */
const BOSS_KEYS = [
  '',
  'create-queue',
  'delete-queue',
  'queue-stats',
  'queue-stats-insert',
  'bamClaim',
  'job_commonfailJobsByTimeout',
  'job_commonfailJobsByHeartbeat',
  'job_commondeletion',
  'job_commoncleanupDependencies',
  'job_common',
  'job_commonstats',
]

/** A user with no right but CONNECT takes every advisory lock with a predictable key. */
async function holdAdvisoryLocks(): Promise<void> {
  const client = await connectAs()
  await client.query(
    `SELECT pg_advisory_lock(hashtextextended(name, 0))
     FROM unnest($1::text[]) AS name`,
    [['promote outbox', 'migrate outbox', '"outbox".ensure_partitions']],
  )
  await client.query(
    `SELECT pg_advisory_lock(('x' || encode(sha224((current_database() || '.pgboss.outbox_pgboss' || key)::bytea), 'hex'))::bit(64)::bigint)
     FROM unnest($1::text[]) AS key`,
    [BOSS_KEYS],
  )
}

/** A relay takes a lane of default/track and dies: the lane job has had no heartbeat for an hour. */
async function abandonLane(): Promise<void> {
  const lane = { destination: 'default/track', lane: 3 }
  const db = openDatabase({ connectionString: h.db.url })
  const queues = new JobQueues({ db, connectionString: h.db.url, onError: () => {} })
  const jobs = new LaneJobs(queues)
  await queues.start()
  await jobs.offer(queueOf(lane), [lane])
  expect(await jobs.take(queueOf(lane), 1)).toHaveLength(1)
  await queues.stop()
  await db.close()
  await h.db.rows(
    "UPDATE outbox_pgboss.job SET heartbeat_on = now() - interval '1 hour' WHERE state = 'active'",
  )
}

const lastDay = () =>
  h.db.rows<{ name: string }>(
    `SELECT inhrelid::regclass::text AS name FROM pg_inherits
     WHERE inhparent = 'outbox.delivered'::regclass ORDER BY 1 DESC LIMIT 1`,
  )

test('51: relays deliver, and migrate succeeds, while a user with no right but CONNECT holds every advisory lock', async () => {
  const [person = ''] = await peopleOfOneLane(h.db, 'default/track', 1)
  await abandonLane()
  const [day] = await lastDay()
  await h.db.rows(`DROP TABLE ${day?.name}`)
  await holdAdvisoryLocks()
  await h.enqueueWith({ sendAfter: new Date(Date.now() + 1_000) }, track('later', 1))
  // One intent in the dead relay's lane, and one for a destination without a queue.
  await h.enqueue(track(person, 1), {
    operation: 'pipelines.track',
    message: { userId: 'u1', event: 'e' },
  } as never)
  await h.relay()
  expect(await lastDay()).toEqual([day])
  await eventually(
    'every intent delivered',
    async () => {
      const rows = await h.db.rows('SELECT FROM outbox.delivered')
      return rows.length === 3
    },
    15_000,
  )
  const { notGranted } = await migrate({ connectionString: h.db.url, lockWaitMs: 2_000 })
  expect(notGranted).toEqual([])
})

test('51: migrate works on an empty database while another user holds every advisory lock', async () => {
  const own = await createTestDatabase('empty')
  const client = await connect(own.url)
  await client.query(`SELECT pg_advisory_lock(hashtextextended('migrate outbox', 0))`)
  await client.query(
    `SELECT pg_advisory_lock(('x' || encode(sha224((current_database() || '.pgboss.outbox_pgboss')::bytea), 'hex'))::bit(64)::bigint)`,
  )
  const { applied } = await migrate({ connectionString: own.url, lockWaitMs: 5_000 })
  expect(applied.length).toBeGreaterThan(5)
  await client.end()
  clients.splice(0)
  await own.drop()
})

test('51: health reports overdue scheduled intents while a session holds the lock for promotion', async () => {
  const holder = await connectAs('outbox_relay')
  await holder.query('BEGIN')
  await holder.query("SELECT FROM outbox.locks WHERE name = 'promote' FOR UPDATE")
  await h.db.rows(
    `INSERT INTO outbox.intents (destination, lane, id, operation, payload, ordering_key, enqueued_at, send_after)
     SELECT 'default/track', -1, gen_random_uuid(), 'track', '{"customerId":"u1","name":"step"}', 'u1',
            now() - interval '1 hour', now() - interval '90 seconds' FROM generate_series(1, 2)`,
  )
  await h.relay()
  const health = () => h.db.rows<{ status: string; reasons: string[] }>('SELECT * FROM outbox.health')
  const [row] = await health()
  expect(row?.status).toBe('degraded')
  expect(row?.reasons).toEqual([
    expect.stringMatching(/^default\/track has 2 scheduled intents overdue by 9\d s$/),
  ])
  await holder.query('ROLLBACK')
  await h.fake.until(({ counts }) => counts.applied === 2)
  await h.drained()
  expect(await health()).toEqual([{ status: 'ok', reasons: [] }])
})

test('51: migrate reports within two seconds which session blocks it, and its error names that session', async () => {
  const holder = await connect(h.db.url)
  await holder.query('BEGIN')
  await holder.query('LOCK TABLE outbox.migrations IN EXCLUSIVE MODE')
  const { rows } = await holder.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
  const whose = `pid ${rows[0]?.pid} \\(\\w+, test 51, idle in transaction for \\d+ s\\)`
  const said: { message: string; atMs: number }[] = []
  const began = performance.now()
  const failed = migrate({
    connectionString: h.db.url,
    lockWaitMs: 3_000,
    onWait: (message) => said.push({ message, atMs: performance.now() - began }),
  })
  await expect(failed).rejects.toMatchObject({
    name: 'LockedError',
    message: expect.stringMatching(
      new RegExp(
        `^the table of migrations could not get its lock within 3 s: end the transactions that are open \\(held by ${whose}\\)`,
      ),
    ),
  })
  expect(said).toHaveLength(1)
  expect(said[0]?.message).toMatch(
    new RegExp(`^the table of migrations is blocked by ${whose}; retrying for 3 s$`),
  )
  expect(said[0]?.atMs).toBeLessThan(2_000)
  await holder.query('ROLLBACK')
})

test('51: migrate reports a slow step', async () => {
  const own = await createTestDatabase('empty')
  await own.rows(`
    CREATE FUNCTION slow() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(1.2); END $$;
    CREATE EVENT TRIGGER slow ON ddl_command_start WHEN TAG IN ('CREATE SCHEMA') EXECUTE FUNCTION slow()`)
  const said: string[] = []
  await migrate({ connectionString: own.url, onWait: (message) => said.push(message) })
  expect(said[0]).toBe('the table of migrations is still running after 2 s')
  await own.drop()
})
