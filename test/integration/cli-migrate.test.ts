import { afterEach, beforeEach, expect, test } from 'vitest'
import { runCli, startCli } from '../support/cli.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'

let db: TestDatabase
let env: Record<string, string>
beforeEach(async () => {
  db = await createTestDatabase('empty')
  env = { DATABASE_URL: db.url, CUSTOMERIO_SITE_ID: 'site', CUSTOMERIO_TRACK_API_KEY: 'key' }
})
afterEach(() => db.drop())

test('of two concurrent runs only one applies each migration', async () => {
  const runs = await Promise.all([runCli(['migrate', '--json'], env), runCli(['migrate', '--json'], env)])
  expect(runs.map(({ status, stderr }) => ({ status, stderr }))).toEqual(
    Array(2).fill({ status: 0, stderr: '' }),
  )
  const results = runs.map(({ stdout }) => JSON.parse(stdout))
  const applied = results.flatMap((result): number[] => result.applied).sort((a, b) => a - b)
  expect(applied).toEqual(Array.from({ length: results[0].version }, (_, n) => n + 1))
  const again = await runCli(['migrate'], env)
  expect(again).toMatchObject({
    status: 0,
    stdout: expect.stringMatching(/^schema "outbox" is at version \d+: nothing to do\n$/),
  })
})

test('--sql changes nothing, and the SQL that it prints migrates the database', async () => {
  const { stdout, status } = await runCli(['migrate', '--sql', '--schema', 'post'], env)
  expect(status).toBe(0)
  expect(await db.rows("SELECT 1 FROM pg_namespace WHERE nspname LIKE 'post%'")).toEqual([])
  await db.pool.query(stdout)
  const { stdout: said } = await runCli(['migrate', '--schema', 'post'], env)
  expect(said).toContain('nothing to do')
  expect((await runCli(['migrate', '--sql', '--schema', 'post'], env)).stdout).toBe('-- nothing to do\n')
})

test.each(['relay', 'status'])(
  '%s on a database without the schema prints one line, and exits with status 2',
  async (command) => {
    const { status, stdout, stderr } = await runCli([command], env)
    expect(stderr).toMatch(/^customerio-outbox: .*customerio-outbox migrate.*\n$/)
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' })
  },
)

test.each([
  [
    'too old',
    'DELETE FROM outbox.migrations WHERE version > 1',
    /is at version 1, .* run `customerio-outbox migrate`/,
  ],
  [
    'too new according to an earlier migration, though not to the last',
    "INSERT INTO outbox.migrations VALUES (98, 'x', now(), 97), (99, 'x', now(), 1)",
    /is at version 99, this relay knows \d+: upgrade the relay to one that knows 97/,
  ],
  [
    'newer than the pg-boss of the relay',
    'UPDATE outbox_pgboss.version SET version = version + 1',
    /"outbox_pgboss" is at version \d+, the pg-boss of this relay needs \d+: upgrade the relay/,
  ],
  ['too new', "INSERT INTO outbox.migrations VALUES (99, 'x')", /is at version 99, .* upgrade/],
])('a relay refuses a schema that is %s', async (_, change, line) => {
  await runCli(['migrate'], env)
  await db.pool.query(change)
  const { status, stderr } = await runCli(['relay'], env)
  expect(stderr).toMatch(line)
  expect(stderr.trimEnd().split('\n')).toHaveLength(1)
  expect(status).toBe(2)
})

test('a relay starts on a newer schema that supports it, and logs that', async () => {
  await runCli(['migrate'], env)
  await db.pool.query(
    "INSERT INTO outbox.migrations SELECT 99, 'x', now(), max(version) FROM outbox.migrations",
  )
  const relay = startCli(['relay', '--no-check-region'], env)
  const [line] = await relay.printed(/.*schema newer than this relay.*/)
  expect(JSON.parse(line)).toMatchObject({ level: 'info', version: 99, supported: expect.any(Number) })
  await relay.printed(/"message":"started"/)
  relay.child.kill('SIGTERM')
  expect((await relay.ended()).status).toBe(0)
})
