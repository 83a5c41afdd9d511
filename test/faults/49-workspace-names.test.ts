/**
 * A test fails after each of these changes:
 * - without `admit_workspace` in enqueue and enqueue_many, no name is refused;
 * - if `register_workspaces` waits for the slots of an open transaction (no `WHERE NOT EXISTS`), a relay's registration
 *   fails;
 * - if the poll reads the view lane_heads (find-ready-lanes.ts), it takes 1,577,115 buffers with the old backlog;
 * - if promote-scheduled.ts also promotes intents of destinations that no relay serves, it promotes the old backlog;
 * - without `FOR KEY SHARE` in `admit_workspace`, a name is freed while a transaction enqueues for it;
 * - without `UNSERVED_AT_MOST` in metric-series.ts, /metrics has a series for each name;
 * - without the limit in the view `health`, it has a reason for each name.
 */
import { readFile } from 'node:fs/promises'
import pg from 'pg'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { readyLanesStatement } from '../../src/store/lanes/find-ready-lanes.ts'
import { eventually } from '../support/eventually.ts'
import { createLoginRole, type LoginRole } from '../support/login-role.ts'
import { everyApi, type Harness, startHarness, track } from '../support/relay-harness.ts'
import { type RelayProcess, startRelayProcess } from '../support/relay-process.ts'

let h: Harness
const clients: pg.Client[] = []
const logins: LoginRole[] = []
const processes: RelayProcess[] = []
beforeEach(async () => {
  h = await startHarness()
})
afterEach(async () => {
  await Promise.all(processes.splice(0).map((each) => each.kill('SIGKILL')))
  await Promise.all(clients.splice(0).map((client) => client.end()))
  for (const login of logins.splice(0)) await login.drop()
  await h.close()
})

/** Opens sessions of one login role that is a member of an outbox role. */
async function connectAs(memberOf: string, count: number): Promise<pg.Client[]> {
  const login = await createLoginRole(h.db, memberOf)
  logins.push(login)
  const sessions = Array.from({ length: count }, () => new pg.Client({ connectionString: login.url }))
  clients.push(...sessions)
  await Promise.all(sessions.map((client) => client.connect()))
  return sessions
}

async function relayProcess(): Promise<RelayProcess> {
  const relay = await startRelayProcess(h.db.url, h.fake.url, '--port', '0')
  processes.push(relay)
  return relay
}

const logged = ({ log }: RelayProcess, message: string) => log.filter((line) => line.message === message)
const UNSERVED = 'no credentials for queued intents'

const enqueueFor = (client: Pick<pg.Client, 'query'>, workspace: string) =>
  client.query(`SELECT outbox.enqueue('track', '{"customerId":"u1","name":"x"}', workspace => $1)`, [
    workspace,
  ])

/** Enqueues for the names `<prefix><from>` to `<prefix><to>` one by one, in one transaction, and ignores refusals. */
async function sendNames(client: pg.Client, prefix: string, from: number, to: number): Promise<void> {
  await client.query(`DO $$ BEGIN
    FOR n IN ${from}..${to} LOOP
      BEGIN
        PERFORM outbox.enqueue('track', '{"customerId":"u1","name":"x"}', workspace => '${prefix}' || n);
      EXCEPTION WHEN configuration_limit_exceeded THEN NULL;
      END;
    END LOOP;
  END $$`)
}

const arrayOf = (from: number, to: number) =>
  `SELECT jsonb_agg(jsonb_build_object('operation', 'track', 'workspace', 'm' || n,
     'payload', jsonb_build_object('customerId', 'u1', 'name', 'x'))) FROM generate_series(${from}, ${to}) n`

/** The workspace names in the queue. */
async function names(): Promise<string[]> {
  const rows = await h.db.rows<{ name: string }>(
    "SELECT DISTINCT split_part(destination, '/', 1) AS name FROM outbox.intents ORDER BY 1",
  )
  return rows.map(({ name }) => name)
}

test('49: 200,000 workspace names from the role with the fewest rights, some in an open transaction, affect no other caller', async () => {
  const [held, ...sessions] = await connectAs('outbox_enqueue', 4)
  if (!held) throw new Error('no session')
  await held.query('BEGIN')
  for (let n = 0; n < 10; n++) await enqueueFor(held, `held${n}`)
  await Promise.all(
    sessions.map(async (client, s) => {
      for (let n = 0; n < 8; n++) await sendNames(client, `s${s}n`, n * 1_000, n * 1_000 + 999)
    }),
  )
  for (let n = 0; n < 176; n++) {
    await expect(
      held.query(`SAVEPOINT s; SELECT outbox.enqueue_many((${arrayOf(n * 1_000, n * 1_000 + 999)}))`),
    ).rejects.toMatchObject({
      code: '53400',
      message: expect.stringMatching(
        /^outbox: workspace 'm\d+' is not known, and 100 workspaces that no relay serves are in use$/,
      ),
      hint: 'Check the name. If it is right, start a relay with the credentials of the workspace first.',
    })
    await held.query('ROLLBACK TO s')
  }
  expect((await names()).length).toBe(90)
  // The names of the open transaction block neither a relay that serves one of them nor another caller.
  const served = await h.relay({ workspaces: { held0: everyApi(h.fake) } })
  await enqueueFor(sessions[0] as pg.Client, 'held0')
  await h.fake.until(({ counts }) => counts.applied === 1)
  await served.stop()
  await held.query('COMMIT')
  expect((await names()).length).toBe(100)

  const relay = await relayProcess()
  const began = performance.now()
  await h.enqueue(track('u1', 1))
  await h.fake.until(({ counts }) => counts.applied === 2)
  expect(performance.now() - began).toBeLessThan(2_000)
  await eventually('a line for each name that is looked up', () => logged(relay, UNSERVED).length >= 20)
  const ended = await timed(() => h.db.rows<{ reasons: string[] }>('SELECT * FROM outbox.health'))
  expect(ended.ms).toBeLessThan(1_000)
  const port = logged(relay, 'listening')[0]?.port
  const metrics = await timed(async () => (await fetch(`http://127.0.0.1:${port}/metrics`)).text())
  expect(metrics.ms).toBeLessThan(1_000)
  const pending = metrics.result.split('\n').filter((line) => line.startsWith('customerio_outbox_pending{'))
  expect(pending).toHaveLength(52) // the relay's own series, 50 others, and one for the rest
  expect(pending).toContainEqual(expect.stringMatching(/destination="other"\} 50$/))
  expect(logged(relay, UNSERVED).length).toBeLessThanOrEqual(100)
  expect(relay.log.length).toBeLessThan(150)
  expect(await rowsBesideIntents()).toBeLessThan(1_000)
  await h.db.rows("UPDATE outbox.intents SET enqueued_at = now() - interval '1 hour'")
  const [late] = await h.db.rows<{ reasons: string[] }>('SELECT * FROM outbox.health')
  expect(late?.reasons).toHaveLength(51)
  expect(late?.reasons.at(-1)).toMatch(/^… and \d+ more$/)
})

async function rowsBesideIntents(): Promise<number> {
  const tables = await h.db.rows<{ name: string }>(
    `SELECT oid::regclass::text AS name FROM pg_class
     WHERE relnamespace IN ('outbox'::regnamespace, 'outbox_pgboss'::regnamespace)
       AND relkind = 'r' AND relname <> 'intents'`,
  )
  const counts = tables.map(({ name }) => `(SELECT count(*)::int FROM ${name})`)
  const [row] = await h.db.rows<{ count: number }>(`SELECT ${counts.join(' + ')} AS count`)
  return row?.count ?? Number.NaN
}

async function timed<T>(work: () => Promise<T>): Promise<{ ms: number; result: T }> {
  const began = performance.now()
  const result = await work()
  return { ms: performance.now() - began, result }
}

const slots = async () => {
  const rows = await h.db.rows<{ name: string }>(
    'SELECT name FROM outbox.unserved_workspaces WHERE name IS NOT NULL ORDER BY name',
  )
  return rows.map(({ name }) => name)
}
const keep = (...served: string[]) => h.db.rows('SELECT outbox.register_workspaces($1)', [served])

test('49: an unused workspace name becomes free again, but not while a transaction enqueues for it', async () => {
  const [one, other] = (await connectAs('outbox_enqueue', 2)) as [pg.Client, pg.Client]
  for (const name of ['a', 'b', 'c']) await enqueueFor(one, name)
  await h.db.rows("DELETE FROM outbox.intents WHERE destination <> 'a/track'")
  await other.query('BEGIN')
  await enqueueFor(other, 'b')
  await keep()
  expect(await slots()).toEqual(['a', 'b'])
  await other.query('COMMIT')
  await keep()
  expect(await slots()).toEqual(['a', 'b'])
  await keep('a')
  expect(await slots()).toEqual(['b'])
  await h.db.rows('DELETE FROM outbox.intents')
  await keep()
  expect(await slots()).toEqual([])
  await enqueueFor(one, 'a') // a relay has registered this name, so it takes no slot
  expect(await slots()).toEqual([])
})

test('49: the number of paused destinations that do not exist is limited, and resuming removes them', async () => {
  const [operator] = (await connectAs('outbox_operator', 1)) as [pg.Client]
  const pause = (n: number) => operator.query('SELECT outbox.pause($1)', [`typo${n}/track`])
  for (let n = 0; n < 100; n++) await pause(n)
  await expect(pause(100)).rejects.toMatchObject({ code: '53400' })
  await operator.query("SELECT outbox.pause('default/app')")
  await keep()
  expect(await slots()).toHaveLength(100)
  for (let n = 0; n < 100; n++) await operator.query('SELECT outbox.resume($1)', [`typo${n}/track`])
  await keep()
  await keep()
  expect(await slots()).toEqual([])
  expect(await h.db.rows('SELECT destination FROM outbox.breakers')).toEqual([{ destination: 'default/app' }])
})

const OLD = 200_000

test('49: an old backlog of 200,000 destinations affects neither the cost of a poll nor the memory of a relay', async () => {
  await h.enqueue(track('u1', 1))
  const before = await buffersOfPoll()
  await h.db.rows(
    `INSERT INTO outbox.intents (destination, lane, id, operation, payload, ordering_key, enqueued_at, send_after)
     SELECT 'old' || n || '/track', n % 32 - 1, gen_random_uuid(), 'track', '{}', 'k', now() - interval '1 day',
            CASE WHEN n % 32 = 0 THEN now() - interval '1 hour' END
     FROM generate_series(1, ${OLD}) n`,
  )
  await h.db.rows('ANALYZE outbox.intents')
  // The index may have become one level deeper. Then each lane and destination that the poll reads costs one more buffer.
  expect(await buffersOfPoll()).toBeLessThan(3 * before + 100)
  const relay = await relayProcess()
  await h.fake.until(({ counts }) => counts.applied === 1)
  await h.enqueueWith({ sendAfter: new Date(Date.now() + 500) }, track('u1', 2))
  await h.fake.until(({ counts }) => counts.applied === 2)
  expect(await h.db.rows('SELECT FROM outbox.intents WHERE lane = -1')).toHaveLength(OLD / 32)
  await eventually('the lines of what is not served', () => logged(relay, UNSERVED).length === 20)
  for (let n = 0; n < 100; n++) {
    await h.enqueue(track('u1', 3 + n))
    await h.fake.until(({ counts }) => counts.applied === 3 + n)
  }
  expect(await peakMemoryMb(relay)).toBeLessThan(300)
  expect(relay.log.length).toBeLessThan(50)
})

async function buffersOfPoll(): Promise<number> {
  const statement = readyLanesStatement('outbox', true)
    .replaceAll('$1', "'{default/app,default/broadcast,default/pipelines,default/track}'")
    .replaceAll('$2', "'{}'")
    .replaceAll('$3', "'{default/track}'")
  const [row] = await h.db.rows<{ 'QUERY PLAN': [{ Plan: Record<string, number> }] }>(
    `EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ${statement}`,
  )
  const plan = row?.['QUERY PLAN'][0].Plan
  return (plan?.['Shared Hit Blocks'] ?? 0) + (plan?.['Shared Read Blocks'] ?? 0)
}

async function peakMemoryMb({ child }: RelayProcess): Promise<number> {
  const status = await readFile(`/proc/${child.pid}/status`, 'utf8').catch(() => 'VmHWM: 0 kB')
  return Number(status.match(/VmHWM:\s+(\d+)/)?.[1] ?? Number.NaN) / 1_024
}
