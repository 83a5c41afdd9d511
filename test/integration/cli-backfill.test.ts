import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { startCli } from '../support/cli.ts'
import { eventually } from '../support/eventually.ts'
import { type Harness, startHarness } from '../support/relay-harness.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'backfill-'))
})
afterAll(() => rm(folder, { recursive: true }))

let h: Harness
beforeEach(async () => {
  h = await startHarness()
})
afterEach(() => h.close())

const start = (...args: string[]) =>
  startCli(['backfill', ...args], { DATABASE_URL: h.db.url, NO_COLOR: '1' })
const backfill = (...args: string[]) => start(...args).ended()

async function queryFile(sql: string): Promise<string> {
  const file = path.join(folder, 'query.sql')
  await writeFile(file, sql)
  return file
}

/** A table of users with ids from 1 to `count`. */
const users = (count: number) =>
  h.db.rows(`CREATE TABLE users AS SELECT n AS id, 'u' || n || '@example.com' AS email, n * 1.5 AS score, now() AS created_at
             FROM generate_series(1, ${count}) n; CREATE UNIQUE INDEX ON users (id)`)
const intents = async () =>
  (
    await h.db.rows<{ n: number; keys: number }>(
      'SELECT count(*)::int AS n, count(DISTINCT ordering_key)::int AS keys FROM outbox.intents',
    )
  )[0]

test('every row once, in chunks, as bulk, delivered to Customer.io', async () => {
  await users(25)
  const sql = await queryFile('SELECT id, email, score FROM users;')
  const { status, stdout, stderr } = await backfill(
    '--sql',
    sql,
    '--as',
    'identify',
    '--key',
    'id',
    '--chunk',
    '10',
  )
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  expect(stdout).toContain('done: 25 of 25 rows are enqueued, 0 were left out')
  expect(await h.db.rows('SELECT DISTINCT priority, operation FROM outbox.intents')).toEqual([
    { priority: 'bulk', operation: 'identify' },
  ])
  await h.relay()
  await h.drained()
  const sent = h.fake.applied.find(({ personKey }) => personKey === 'id:7')
  expect(sent?.body).toMatchObject({
    action: 'identify',
    attributes: { email: 'u7@example.com', score: 10.5 },
  })
  expect(h.fake.counts.applied).toBe(25)
})

test('after SIGKILL it continues: no row twice, none left out', async () => {
  await users(3_000)
  const sql = await queryFile('SELECT id, email FROM users')
  const killed = start('--sql', sql, '--as', 'identify', '--key', 'id', '--chunk', '100', '--rate', '3000')
  const [, actionId = ''] = await killed.printed(/backfill (\S+): /)
  await eventually('some chunks', async () => ((await intents())?.n ?? 0) >= 500)
  const exited = once(killed.child, 'exit')
  killed.child.kill('SIGKILL')
  await exited
  expect((await intents())?.n).toBeLessThan(3_000)
  const { status, stdout } = await backfill('--resume', actionId, '--json')
  expect(status).toBe(0)
  expect(JSON.parse(stdout)).toEqual({ actionId, state: 'done', enqueued: 3_000, skipped: 0, total: 3_000 })
  expect(await intents()).toEqual({ n: 3_000, keys: 3_000 })
  expect(
    await h.db.rows('SELECT state, processed::int, total::int, requested_by FROM outbox.action_status'),
  ).toEqual([{ state: 'done', processed: 3_000, total: 3_000, requested_by: 'postgres' }])
})

test('two processes cannot continue one backfill at once', async () => {
  await users(2_000)
  const sql = await queryFile('SELECT id FROM users')
  const first = start('--sql', sql, '--as', 'identify', '--key', 'id', '--chunk', '50', '--rate', '500')
  const [, actionId = ''] = await first.printed(/backfill (\S+): /)
  const second = await backfill('--resume', actionId, '--chunk', '50')
  const other = await first.ended()
  // Whichever chunk comes second finds another position than its process knows.
  expect([second.status, other.status].sort()).toEqual([0, 1])
  expect(`${second.stderr}${other.stderr}`).toContain('another process continues backfill')
  expect(await intents()).toEqual({ n: 2_000, keys: 2_000 })
})

test('cancel ends it after its chunk', async () => {
  await users(2_000)
  const sql = await queryFile('SELECT id FROM users')
  const running = start('--sql', sql, '--as', 'identify', '--key', 'id', '--chunk', '50', '--rate', '400')
  const [, actionId = ''] = await running.printed(/backfill (\S+): /)
  await h.db.rows('SELECT outbox.cancel($1)', [actionId])
  const { status, stdout } = await running.ended()
  expect(status).toBe(1)
  expect(stdout).toContain('cancelled: ')
  expect((await intents())?.n).toBeLessThan(2_000)
})

describe('rows that no relay could send', () => {
  beforeEach(async () => {
    await h.db.rows(`CREATE TABLE people (id text, age int); INSERT INTO people
      VALUES ('a', 1), ('b', 2), ('', 3), (repeat('x', 151), 4), ('c', 5)`)
  })

  test('--dry-run reports them and stores nothing', async () => {
    const sql = await queryFile('SELECT id, age FROM people')
    const report = path.join(folder, 'report.jsonl')
    const { status, stdout } = await backfill(
      ...['--sql', sql, '--as', 'identify', '--key', 'id', '--dry-run', '--report', report, '--json'],
    )
    expect(status).toBe(1)
    expect(JSON.parse(stdout)).toMatchObject({ valid: 3, invalid: 2 })
    const lines = (await readFile(report, 'utf8'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(lines.map(({ key }) => key)).toEqual(['', 'x'.repeat(151)])
    expect((await intents())?.n).toBe(0)
    expect(await h.db.rows('SELECT FROM outbox.actions')).toEqual([])
  })

  test('stop it at the first one; --skip-invalid leaves them out', async () => {
    const sql = await queryFile('SELECT id, age FROM people')
    const stopped = await backfill('--sql', sql, '--as', 'identify', '--key', 'id', '--chunk', '2')
    expect(stopped).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/row {2}is invalid: .*--resume (\S+) --skip-invalid/),
    })
    const [, actionId = ''] = stopped.stderr.match(/--resume (\S+)/) ?? []
    const { status, stdout } = await backfill('--resume', actionId, '--skip-invalid')
    expect(status).toBe(0)
    expect(stdout).toContain('done: 3 of 5 rows are enqueued, 2 were left out')
  })
})

test('events take name and timestamp from columns; a dry run warns of the 72 hours', async () => {
  await h.db.rows(`CREATE TABLE orders AS SELECT n AS id, 'u' || n AS customer FROM generate_series(1, 3) n`)
  const sql = await queryFile(`SELECT customer, 'order_placed' AS name, id AS order_id,
    extract(epoch FROM now() - make_interval(hours => id * 40))::bigint AS timestamp FROM orders`)
  const args = ['--sql', sql, '--as', 'track', '--key', 'customer']
  const dry = await backfill(...args, '--dry-run')
  expect(dry.stdout).toContain(
    '1 events are younger than 72 h or have no timestamp: they may TRIGGER CAMPAIGNS; 2 are older',
  )
  expect(await backfill(...args)).toMatchObject({ status: 0 })
  const rows = await h.db.rows<{ payload: object }>(
    'SELECT name, payload FROM outbox.intents ORDER BY ordering_key',
  )
  expect(rows[0]).toEqual({
    name: 'order_placed',
    payload: { customerId: 'u1', name: 'order_placed', timestamp: expect.any(Number), data: { order_id: 1 } },
  })
})

test('a column payload is taken as it is', async () => {
  const sql = await queryFile(
    `SELECT 1 AS n, '{"customerId": "u1", "deviceId": "d", "platform": "ios"}'::json AS payload`,
  )
  expect(await backfill('--sql', sql, '--as', 'addDevice', '--key', 'n')).toMatchObject({ status: 0 })
  expect(await h.db.rows('SELECT operation, ordering_key FROM outbox.intents')).toEqual([
    { operation: 'addDevice', ordering_key: 'u1' },
  ])
})

test('wrong input gives one line and stores nothing', async () => {
  await users(3)
  const cases: [string, string[], string][] = [
    [
      'SELECT id FROM users',
      ['--as', 'identify', '--key', 'ident'],
      'Expected --key to be a column of the query (id), got ident',
    ],
    ['SELECT id FROM users', ['--as', 'identity', '--key', 'id'], 'Expected --as to be an operation'],
    [
      'SELECT id FROM users',
      ['--as', 'sendEmail', '--key', 'id'],
      'Expected the query to select a column payload',
    ],
    [
      'SELECT 1 AS id FROM users',
      ['--as', 'identify', '--key', 'id'],
      'Expected id to be unique, got 3 rows with 1 values',
    ],
    [
      'SELECT NULL::int AS id',
      ['--as', 'identify', '--key', 'id'],
      'Expected id to be given in every row, got 1 rows without it',
    ],
    ['SELECT id FROM nobody', ['--as', 'identify', '--key', 'id'], 'nobody'],
    ['DELETE FROM users RETURNING id', ['--as', 'identify', '--key', 'id'], 'syntax error'],
  ]
  for (const [query, args, message] of cases) {
    const { status, stderr, stdout } = await backfill('--sql', await queryFile(query), ...args)
    expect(stderr).toContain(message)
    expect(stderr.trim().split('\n')).toHaveLength(1)
    expect(stdout).toBe('')
    expect(status).toBeGreaterThan(0)
  }
  expect(await h.db.rows('SELECT FROM users')).toHaveLength(3)
  expect((await intents())?.n).toBe(0)
})
