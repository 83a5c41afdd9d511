import { afterEach, beforeEach, expect, test } from 'vitest'
import { createOutbox } from '../../src/index.ts'
import { runCli, startCli } from '../support/cli.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'

let db: TestDatabase
let env: Record<string, string>
beforeEach(async () => {
  db = await createTestDatabase()
  env = { DATABASE_URL: db.url }
})
afterEach(() => db.drop())

async function fill(): Promise<void> {
  const intents = Array.from({ length: 1_234 }, (_, n) => ({ operation: 'identify' as const, customerId: n }))
  await db.transaction((tx) => createOutbox().enqueue(tx, intents))
  await db.pool.query(`UPDATE outbox.intents SET enqueued_at = now() - interval '200 s'`)
  await db.pool.query(
    `INSERT INTO outbox.breakers (destination, state, failure_count, last_failure_at, last_error, opened_at, retry_at)
     VALUES ('default/track', 'open', 5, now(), '503: no service', now(), now() + interval '300 s')`,
  )
}

test('an empty outbox is described in words', async () => {
  const { status, stdout } = await runCli(['status'], env)
  expect(status).toBe(0)
  expect(stdout).toMatch(/^Health {2}degraded/)
  for (const words of ['Backlog\n  empty', 'all closed', 'none is running', 'last 5 minutes\n  none']) {
    expect(stdout).toContain(words)
  }
})

test('status prints tables with human units, the health first', async () => {
  await fill()
  const { stdout } = await runCli(['status'], env)
  expect(stdout).toMatch(/^Health {2}down/)
  expect(stdout).toMatch(/default\/track\s+1,234\s+0\s+0\s+(3m [2-5]\ds|4m \d+s)/)
  expect(stdout).toMatch(/default\/track\s+open\s+5\s+\S+s\s+(5m|4m \d+s)\s+503: no service/)
})

test('--json prints one object', async () => {
  await fill()
  const { stdout } = await runCli(['status', '--json'], env)
  expect(stdout.trimEnd().split('\n')).toHaveLength(1)
  expect(JSON.parse(stdout)).toMatchObject({
    health: { status: 'down', reasons: expect.any(Array) },
    backlog: [{ destination: 'default/track', pending: 1_234, scheduled: 0, estimated: false }],
    breakers: [
      { destination: 'default/track', state: 'open', failureCount: 5, lastError: '503: no service' },
    ],
    relays: [],
    deadLetters: [],
    throughput: [],
  })
})

test('--watch --json prints lines, continues after a lost connection, and exits with status 0', async () => {
  const watching = startCli(['status', '--watch', '0.2', '--json'], env)
  await watching.printed(/\n/)
  await db.pool.query(`ALTER VIEW outbox.health RENAME TO health_away`)
  await watching.printed(/"error":"relation .*health/)
  await db.pool.query(`ALTER VIEW outbox.health_away RENAME TO health`)
  await db.pool.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'customerio-outbox status' AND datname = current_database()`,
  )
  await watching.printed(/"error"(.|\n)*"health":\{"status"/)
  watching.child.kill('SIGINT')
  const { status, stdout, stderr } = await watching.ended()
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  for (const line of stdout.trimEnd().split('\n')) JSON.parse(line)
})

test('--watch without a terminal prints one block after the other', async () => {
  const watching = startCli(['status', '--watch', '0.2'], env)
  await watching.printed(/^Health(.|\n)*\nHealth/)
  watching.child.kill('SIGTERM')
  expect((await watching.ended()).status).toBe(0)
  expect(watching.stdout).not.toContain('\u001b')
})
