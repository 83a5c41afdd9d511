import { PassThrough } from 'node:stream'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { painter } from '../../src/cli/output/format.ts'
import { renderStatus } from '../../src/cli/output/status/render-status.ts'
import { createOutbox } from '../../src/index.ts'
import { readStatus } from '../../src/observe/views/read-status.ts'
import { namesOf } from '../../src/store/names.ts'
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

/** Long names and numbers in every table. */
async function fillWide(): Promise<void> {
  await fill()
  const workspace = 'marketing-of-the-whole-northern-hemisphere'
  await db.pool.query(
    `UPDATE outbox.breakers SET last_error = 'a long error with many words that say what happened to the request';
     INSERT INTO outbox.breakers (destination, state, failure_count, opened_at)
     VALUES ('${workspace}/broadcast', 'paused', 12345, now() - interval '4 days');
     SELECT outbox.enqueue('triggerBroadcast', '{"broadcastId": 1}', workspace => '${workspace}');
     INSERT INTO outbox.relays VALUES (gen_random_uuid(), 'relay-7d9f8b6c5-x2x4z.delivery.svc.cluster.local', 1,
       '1.0.0-beta.17', now() - interval '4 days', now());
     INSERT INTO outbox.dead_letters (id, destination, seq, format, operation, payload, ordering_key, priority,
         on_ambiguous, enqueued_at, dead_at, reason)
     SELECT gen_random_uuid(), '${workspace}/broadcast', n, 1, 'triggerBroadcast', '{}', 'u1', 'normal', 'park', now(),
            now() - interval '4 days', 'ambiguous' FROM generate_series(1, 3) n;
     INSERT INTO outbox.settled_counts
     SELECT date_trunc('minute', now()), d, 0, bin, 12345 FROM unnest('{default/track,${workspace}/broadcast}'::text[]) d,
            unnest('{60,-1,-2,-3}'::int[]) bin`,
  )
}

test('status shows delivered, late, suppressed and dead intents of each minute', async () => {
  await fillWide()
  const { stdout } = await runCli(['status'], env)
  expect(stdout).toMatch(/minute +destination +delivered +late +suppressed +dead +p50 +p99\n/)
  expect(stdout).toMatch(/default\/track +12,345 +12,345 +12,345 +12,345 +\S/)
  expect(stdout).toContain('a long error with many words that say what happened to the …') // not cut for a pipe
})

test('every table fits in a terminal of 80 columns, and still names each API', async () => {
  await fillWide()
  const plain = painter(new PassThrough() as unknown as NodeJS.WriteStream)
  const lines = renderStatus(await readStatus(db.pool, namesOf()), plain, 80).split('\n')
  const tables = lines.slice(lines.indexOf('Backlog'))
  expect(tables.filter((line) => line.length > 80)).toEqual([])
  expect(tables.filter((line) => /default\/track /.test(line))).toHaveLength(3)
  expect(tables.filter((line) => /m\S*…\/broadcast /.test(line))).toHaveLength(4)
})
