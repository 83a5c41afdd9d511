import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createOutbox, type Intent } from '../../src/index.ts'
import { type FakeCustomerIo, startFakeCustomerIo } from '../../src/testing/index.ts'
import { type CliProcess, startCli } from '../support/cli.ts'
import { HALF_OPEN, startTcpProxy } from '../faults/support/network/tcp-proxy.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { eventually } from '../support/eventually.ts'
import { email, peopleOfOneLane, stepOf, track } from '../support/relay-harness.ts'

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))
const KEY = 'k3y-of-the-track-api'

let db: TestDatabase
let fake: FakeCustomerIo
const processes: CliProcess[] = []
beforeEach(async () => {
  db = await createTestDatabase()
  fake = await startFakeCustomerIo({ siteId: 'site', trackApiKey: KEY, sequenceOf: stepOf })
})
afterEach(async () => {
  for (const { child } of processes.splice(0)) child.kill('SIGKILL')
  await fake.close()
  await db.drop()
})

const environment = () => ({
  DATABASE_URL: db.url,
  CUSTOMERIO_SITE_ID: 'site',
  CUSTOMERIO_TRACK_API_KEY: KEY,
  CUSTOMERIO_TRACK_URL: fake.url,
})

function start(flags: readonly string[], env: Readonly<Record<string, string>> = {}): CliProcess {
  const drain = startCli(['drain', ...flags], { ...environment(), ...env })
  processes.push(drain)
  return drain
}
const run = (...flags: string[]) => start(flags).ended()
const enqueue = (...intents: Intent[]) => db.transaction((tx) => createOutbox().enqueue(tx, intents))
const queued = () => db.rows('SELECT FROM outbox.intents')
const connections = () =>
  db.rows(
    "SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'customerio-outbox%'",
  )

test('an empty queue, then work: one sentence, status 0, and nothing left behind', async () => {
  expect(await run('--for', '50')).toEqual({
    status: 0,
    stderr: '',
    stdout: expect.stringMatching(/^The queue is empty: there was nothing to deliver \(in \d+ms\)\.\n$/),
  })
  expect(fake.counts.requests).toBe(0)
  await enqueue(...Array.from({ length: 1_200 }, (_, n) => track(`u${n % 10}`, n)))
  fake.misbehave({ kind: 'refuse', operation: ({ identifiers }) => identifiers?.id === 'bad' })
  await enqueue(track('bad', 1))
  const { status, stdout, stderr } = await run('--for', '2m')
  expect(stdout).toMatch(/^The queue is empty: 1,200 delivered, 1 dead-lettered in [\d.]+m?s\.\n$/)
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  expect(fake.counts).toMatchObject({ outOfOrder: 0, duplicates: 0 })
  expect(await db.rows('SELECT FROM outbox.relays')).toEqual([])
  await eventually('closed connections', async () => (await connections()).length === 0, 2_000)
})

test('--json prints one object, and the status says which outcome', async () => {
  expect(JSON.parse((await run('--json')).stdout)).toEqual({
    outcome: 'empty',
    delivered: 0,
    deadLettered: 0,
    suppressed: 0,
    unserved: [],
    left: [],
    openActions: 0,
    milliseconds: expect.any(Number),
  })
  await enqueue(track('u1', 1), email('u1', 1))
  await db.rows("SELECT outbox.pause('default/track', 'ticket 1234')")
  const { status, stdout, stderr } = await run('--json')
  expect({ status, stderr }).toEqual({ status: 4, stderr: '' })
  expect(stdout.trimEnd().split('\n')).toHaveLength(1)
  expect(JSON.parse(stdout)).toEqual({
    outcome: 'stopped',
    delivered: 0,
    deadLettered: 0,
    suppressed: 0,
    unserved: ['default/app'],
    left: [
      {
        destination: 'default/track',
        pending: 1,
        estimated: false,
        state: 'paused',
        retryAt: null,
        lastError: 'paused by postgres: ticket 1234',
      },
    ],
    openActions: 0,
    milliseconds: expect.any(Number),
  })
  expect((await run()).stdout).toMatch(
    /^Delivery is stopped: 0 delivered in \d+ms, 1 pending\.\n {2}default\/track: 1 pending; paused by postgres: ticket 1234; to continue, run customerio-outbox resume default\/track\n {2}default\/app: no credentials; its intents wait\n$/,
  )
})

test('Customer.io is down: status 4, the destination, its next probe and the last error', async () => {
  fake.misbehave({ kind: 'outage' })
  await enqueue(...Array.from({ length: 60 }, (_, n) => track(`u${n}`, n)))
  const { status, stdout, stderr } = await run('--no-check-region')
  expect(stdout).toMatch(
    /^Delivery is stopped: 0 delivered in [\d.]+m?s, 60 pending\.\n {2}default\/track: 60 pending; open, next probe at \d{4}-\d\d-\d\dT[\d:]{8}Z: 503: text\/html, \d+ bytes\n$/,
  )
  expect({ status, stderr }).toEqual({ status: 4, stderr: '' })
  expect(await queued()).toHaveLength(60)
})

test('the time is up: status 3, and what is left; LOG_LEVEL shows events on stderr', async () => {
  const [person = ''] = await peopleOfOneLane(db, 'default/track', 1)
  fake.latencyMs = 300
  await enqueue(...Array.from({ length: 300 }, (_, n) => track(person, n)))
  const drain = start(['--for', '3s', '--batch-size', '10', '--no-check-region'], { LOG_LEVEL: 'debug' })
  const { status, stdout, stderr } = await drain.ended()
  expect(stdout).toMatch(
    /^The time is up: \d+ delivered in [\d.]+s, \d+ pending\.\n {2}default\/track: \d+ pending; the next drain delivers them\n$/,
  )
  expect(status).toBe(3)
  expect(
    stderr
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line).message),
  ).toContain('settled')
  expect(stderr).not.toContain(KEY)
})

test.each(['SIGTERM', 'SIGINT'] as const)('%s ends the drain in order', async (signal) => {
  const [person = ''] = await peopleOfOneLane(db, 'default/track', 1)
  fake.latencyMs = 300
  await enqueue(...Array.from({ length: 300 }, (_, n) => track(person, n)))
  const drain = start(['--batch-size', '10', '--no-check-region'])
  await fake.until(({ counts }) => counts.applied > 0, { timeoutMs: 30_000 })
  drain.child.kill(signal)
  const { status, stdout, stderr } = await drain.ended()
  expect(stdout).toMatch(new RegExp(`^Ended by ${signal}: \\d+ delivered in [\\d.]+m?s, \\d+ pending\\.\\n`))
  expect({ status, stderr }).toEqual({ status: signal === 'SIGTERM' ? 143 : 130, stderr: '' })
  expect(await db.rows('SELECT FROM outbox.delivered')).toHaveLength(fake.counts.applied)
  expect(await queued()).toHaveLength(300 - fake.counts.applied)
  expect(await db.rows('SELECT FROM outbox.relays')).toEqual([])
  expect(await db.rows('SELECT FROM outbox.lanes WHERE relay_id IS NOT NULL')).toEqual([])
})

const hasScript = spawnSync('script', ['--version']).status === 0
test.skipIf(!hasScript)('on a terminal, a drain of more than two seconds shows its progress', async () => {
  const [person = ''] = await peopleOfOneLane(db, 'default/track', 1)
  fake.latencyMs = 300
  await enqueue(...Array.from({ length: 300 }, (_, n) => track(person, n)))
  const command = `"${process.execPath}" "${MAIN}" drain --for 4s --batch-size 10 --no-check-region`
  const onTerminal = spawn('script', ['-qefc', command, '/dev/null'], {
    env: { ...process.env, ...environment() },
  })
  let printed = ''
  onTerminal.stdout.on('data', (chunk) => {
    printed += chunk
  })
  const [status] = await once(onTerminal, 'close')
  expect(status).toBe(3)
  const [progress = '', text = ''] = printed.split('The time is up: ')
  const lines = progress.split('\r\u001b[K') // each line replaces the one before
  expect([lines.shift(), lines.pop()]).toEqual(['', ''])
  expect(lines.length).toBeGreaterThan(1)
  for (const line of lines)
    expect(line).toMatch(/^\d+ delivered, (\ds left|finishing the requests in flight)$/)
  expect(text).toMatch(/^\d+ delivered in [\d.]+s, \d+ pending\.\r\n/)
})

test('the database falls silent: one line and status 1, within the documented time', async () => {
  const proxy = await startTcpProxy(db.url)
  fake.latencyMs = 200
  await enqueue(...Array.from({ length: 100 }, (_, n) => track('u1', n)))
  const startedAt = performance.now()
  const flags = ['--for', '4s', '--request-timeout', '1', '--batch-size', '10', '--no-check-region']
  const drain = start(flags, { DATABASE_URL: proxy.url(db.url) })
  await fake.until(({ counts }) => counts.applied > 0, { timeoutMs: 30_000 })
  proxy.setNew(HALF_OPEN)
  proxy.set(HALF_OPEN)
  const { status, stdout, stderr } = await drain.ended()
  expect(performance.now() - startedAt).toBeLessThan(4_000 + 1_000 + 5_000 + 5_000) // 5 s for the start of the process
  expect(stderr).toMatch(
    /^customerio-outbox: The database does not answer: the drain gave up after [\d.]+ s\..*\n$/,
  )
  expect({ status, stdout }).toEqual({ status: 1, stdout: '' })
  await proxy.close()
})

test('a config file has the workspaces, as for a relay', async () => {
  const env = { CUSTOMERIO_SITE_ID: '', CUSTOMERIO_TRACK_API_KEY: '', OUTBOX_CONFIG: '/nowhere.json' }
  const { status, stderr } = await start([], env).ended()
  expect(stderr).toMatch(/^customerio-outbox: --config: cannot read \/nowhere\.json: ENOENT.*\n$/)
  expect(status).toBe(2)
})
