import { afterEach, beforeEach, expect, test } from 'vitest'
import { runCli } from '../support/cli.ts'
import { createTestDatabase } from '../support/database.ts'
import { createLoginRole } from '../support/login-role.ts'
import { type Harness, startHarness } from '../support/relay-harness.ts'

let h: Harness
beforeEach(async () => {
  h = await startHarness()
})
afterEach(() => h.close())

interface Finding {
  readonly name: string
  readonly level: string
  readonly what: string
  readonly next?: string
}

async function setSynchronousCommit(value: 'on' | 'off'): Promise<void> {
  const [row] = await h.db.rows<{ name: string }>('SELECT current_database() AS name')
  await h.db.rows(`ALTER DATABASE "${row?.name}" SET synchronous_commit = ${value}`)
}

test('without a problem doctor prints a line for each check, and exits with status 0', async () => {
  await setSynchronousCommit('on')
  await h.relay()
  const { status, stdout, stderr } = await runCli(['doctor'], { DATABASE_URL: h.db.url })
  expect(stderr).toBe('')
  expect(status).toBe(0)
  const lines = stdout.trimEnd().split('\n')
  expect(lines.map((line) => line.match(/^ok {7}(\S+) /)?.[1])).toEqual([
    'connection',
    'schema',
    'synchronous_commit',
    'notifications',
    'relays',
    'health',
  ])
})

test('a warning does not fail the command; a missing relay does, with a next step', async () => {
  await setSynchronousCommit('off')
  const { status, stdout } = await runCli(['doctor', '--json'], { DATABASE_URL: h.db.url })
  expect(status).toBe(1)
  const { findings } = JSON.parse(stdout) as { findings: Finding[] }
  expect(findings.find(({ name }) => name === 'synchronous_commit')).toMatchObject({ level: 'warning' })
  expect(findings.find(({ name }) => name === 'relays')).toEqual({
    name: 'relays',
    level: 'failure',
    what: 'no relay is running',
    next: 'start customerio-outbox relay',
  })
})

test('a database that is not migrated, or that does not answer, is a failure with a next step', async () => {
  const empty = await createTestDatabase('empty')
  try {
    const { status, stdout } = await runCli(['doctor'], { DATABASE_URL: empty.url })
    expect(status).toBe(1)
    expect(stdout).toMatch(/^failure {2}schema .*does not exist\n +→ run customerio-outbox migrate/m)
  } finally {
    await empty.drop()
  }
  const none = await runCli(['doctor'], { DATABASE_URL: 'postgres://127.0.0.1:1/none' })
  expect(none.status).toBe(1)
  expect(none.stdout).toMatch(/^failure {2}connection .*cannot connect to the database/)
  expect(none.stdout.trimEnd().split('\n')).toHaveLength(2)
  expect(none.stdout).toMatch(/\n +→ correct this, then run doctor again\n$/)
})

test.each(['outbox_viewer', 'outbox_operator'])('a member of %s can run doctor', async (role) => {
  await h.relay()
  const user = await createLoginRole(h.db, role)
  try {
    const { status, stdout } = await runCli(['doctor', '--json'], { DATABASE_URL: user.url })
    const { findings } = JSON.parse(stdout) as { findings: Finding[] }
    expect(findings.filter(({ level }) => level === 'failure')).toEqual([])
    expect(status).toBe(0)
  } finally {
    await user.drop()
  }
})
