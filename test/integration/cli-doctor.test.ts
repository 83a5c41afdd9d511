import { once } from 'node:events'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { runCli, startCli } from '../support/cli.ts'
import { createTestDatabase } from '../support/database.ts'
import { createLoginRole } from '../support/login-role.ts'
import { type Harness, startHarness } from '../support/relay-harness.ts'

let h: Harness
const servers: Server[] = []
beforeEach(async () => {
  h = await startHarness()
})
afterEach(async () => {
  for (const server of servers.splice(0)) server.close()
  await h.close()
})

interface Finding {
  readonly name: string
  readonly level: string
  readonly what: string
  readonly next?: string
}

const CHECKS = [
  ...[
    'autovacuum',
    'clock',
    'connection',
    'dead_letters',
    'dead_rows',
    'drift',
    'health',
    'lag',
    'notifications',
  ],
  ...[
    'partitions',
    'pooler',
    'privileges',
    'relays',
    'roles',
    'schema',
    'synchronous_commit',
    'transactions',
  ],
  ...['wake_up', 'workspaces'],
]
/** Milliseconds within which doctor ends. */
const AT_MOST_MS = 10_000

async function setSynchronousCommit(value: 'on' | 'off'): Promise<void> {
  const [row] = await h.db.rows<{ name: string }>('SELECT current_database() AS name')
  await h.db.rows(`ALTER DATABASE "${row?.name}" SET synchronous_commit = ${value}`)
}

/** The port of a server that accepts connections and never answers. */
async function silentPort(): Promise<number> {
  const server = createServer((socket) => socket.on('error', () => {})).listen(0, '127.0.0.1')
  servers.push(server)
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

test('without a problem doctor prints a line for each check, and exits with status 0', async () => {
  await setSynchronousCommit('on')
  await h.relay()
  const { status, stdout, stderr } = await runCli(['doctor'], { DATABASE_URL: h.db.url })
  expect(stderr).toBe('')
  expect(status).toBe(0)
  const lines = stdout.trimEnd().split('\n')
  expect(lines.map((line) => line.match(/^ok {7}(\S+) /)?.[1]).sort()).toEqual(CHECKS)
})

test('a warning does not fail the command; a missing relay does, with a next step', async () => {
  await setSynchronousCommit('off')
  const { status, stdout } = await runCli(['doctor', '--json'], { DATABASE_URL: h.db.url })
  expect(status).toBe(1)
  const { findings } = JSON.parse(stdout) as { findings: Finding[] }
  expect(findings.find(({ name }) => name === 'synchronous_commit')).toMatchObject({
    level: 'warning',
    next: expect.stringMatching(/^ALTER DATABASE \w+ SET synchronous_commit = on/),
  })
  expect(findings.find(({ name }) => name === 'relays')).toEqual({
    name: 'relays',
    level: 'failure',
    what: 'no relay is running',
    next: 'customerio-outbox relay --port 8080',
  })
})

test('a database that is not migrated, or that does not answer, is a failure with a next step', async () => {
  const empty = await createTestDatabase('empty')
  try {
    const { status, stdout } = await runCli(['doctor'], { DATABASE_URL: empty.url })
    expect(status).toBe(1)
    expect(stdout).toMatch(/^failure {2}schema .*does not exist\n +→ run customerio-outbox migrate/m)
    expect(stdout.match(/^failure/gm)).toHaveLength(1)
  } finally {
    await empty.drop()
  }
  const none = await runCli(['doctor'], { DATABASE_URL: 'postgres://127.0.0.1:1/none' })
  expect(none.status).toBe(1)
  expect(none.stdout).toMatch(/^failure {2}connection .*cannot connect to the database/)
  expect(none.stdout.trimEnd().split('\n')).toHaveLength(2)
  expect(none.stdout).toMatch(/\n +→ check that it is running and that DATABASE_URL is right\n$/)
})

test.each(['outbox_viewer', 'outbox_operator'])('a member of %s can run doctor', async (role) => {
  await h.relay()
  const user = await createLoginRole(h.db, role)
  try {
    const { status, stdout } = await runCli(['doctor', '--json'], { DATABASE_URL: user.url })
    const { findings } = JSON.parse(stdout) as { findings: Finding[] }
    expect([...new Set(findings.map(({ name }) => name))].sort()).toEqual(CHECKS)
    const problems = findings.filter(({ level, name }) => level !== 'ok' && name !== 'synchronous_commit')
    expect(problems).toEqual([])
    expect(status).toBe(0)
  } finally {
    await user.drop()
  }
})

test('doctor prints each line when its check ends, and ends in time if Customer.io and the LISTEN server are silent', async () => {
  const began = performance.now()
  const doctor = startCli(['doctor'], {
    DATABASE_URL: h.db.url,
    OUTBOX_LISTEN_URL: `postgres://u:p@127.0.0.1:${await silentPort()}/x`,
    CUSTOMERIO_SITE_ID: 'site',
    CUSTOMERIO_TRACK_API_KEY: 'a-secret-track-key',
    CUSTOMERIO_TRACK_URL: `http://127.0.0.1:${await silentPort()}`,
  })
  await doctor.printed(/^ok {7}health /m)
  expect(doctor.stdout).not.toMatch(/ (workspaces|wake_up) /)
  const { stdout, status } = await doctor.ended()
  expect(performance.now() - began).toBeLessThan(AT_MOST_MS)
  expect(stdout).toMatch(/^warning {2}workspaces +default: Customer.io did not say its region: /m)
  expect(stdout).toMatch(/^warning {2}wake_up +LISTEN through OUTBOX_LISTEN_URL fails: /m)
  expect(stdout).not.toContain('a-secret-track-key')
  expect(status).toBe(1) // no relay is running
})

test('doctor ends in time if the tables are locked, and names the checks that it could not make', async () => {
  const tx = await h.db.begin()
  await tx.query(
    'LOCK TABLE outbox.intents, outbox.relays, outbox.breakers, outbox.dead_letters, outbox.migrations',
  )
  const began = performance.now()
  const { stdout } = await runCli(['doctor'], { DATABASE_URL: h.db.url })
  const ended = performance.now()
  await tx.query('ROLLBACK') // before the assertions: the database cannot be dropped while it is locked
  tx.release()
  expect(ended - began).toBeLessThan(AT_MOST_MS)
  expect(stdout).toMatch(
    /^warning {2}schema +not checked: a statement took over 3 s\n +→ SELECT pid, pg_blocking_pids/m,
  )
  expect(stdout).toMatch(
    /^warning {2}time +not checked, because .* came late: .*lag, dead_letters, health\n +→ /m,
  )
})
