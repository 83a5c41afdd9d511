import { afterEach, beforeEach, expect, test } from 'vitest'
import { createOutbox } from '../../src/index.ts'
import { type FakeCustomerIo, startFakeCustomerIo } from '../../src/testing/index.ts'
import { type CliProcess, startCli } from '../support/cli.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { eventually } from '../support/eventually.ts'

const KEY = 'k3y-of-the-track-api'
const EMAIL = 'jane.doe@example.com'

let db: TestDatabase
let fake: FakeCustomerIo
const processes: CliProcess[] = []
beforeEach(async () => {
  db = await createTestDatabase()
  fake = await startFakeCustomerIo({ siteId: 'site', trackApiKey: KEY })
})
afterEach(async () => {
  for (const { child } of processes.splice(0)) child.kill('SIGKILL')
  await fake.close()
  await db.drop()
})

/** Starts a relay with its endpoints on a free port. Resolves when it has started. */
async function startRelay(...flags: string[]) {
  const relay = startCli(['relay', '--host', '127.0.0.1', '--port', '0', ...flags], {
    DATABASE_URL: db.url,
    CUSTOMERIO_SITE_ID: 'site',
    CUSTOMERIO_TRACK_API_KEY: KEY,
    CUSTOMERIO_TRACK_URL: fake.url,
  })
  processes.push(relay)
  const [, port] = await relay.printed(/"port":(\d+),"message":"listening"/)
  await relay.printed(/"message":"started"/)
  const get = async (path: string, init?: RequestInit) => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, init)
    return { status: response.status, headers: response.headers, body: await response.text() }
  }
  return { ...relay, relay, get }
}

function enqueue(...names: string[]) {
  return db.transaction((tx) =>
    createOutbox().enqueue(
      tx,
      names.map((name) => ({ operation: 'track' as const, customerId: 'u1', name, data: { email: EMAIL } })),
    ),
  )
}

test('--delivered-payloads keeps the payloads of the workspace default', async () => {
  await startRelay('--delivered-payloads', 'keep', '--delivered-payload-days', '3')
  await enqueue('signed_up')
  const [kept] = await eventually('a payload in the archive', async () => {
    const rows = await db.rows(
      `SELECT drop_on - (delivered_at AT TIME ZONE 'UTC')::date AS days FROM outbox.archive`,
    )
    return rows.length > 0 && rows
  })
  expect(kept).toEqual({ days: 4 })
})

test('a relay starts, delivers, answers its endpoints, and exits with status 0 on SIGTERM', async () => {
  const { relay, get } = await startRelay()
  expect(await get('/healthz')).toMatchObject({ status: 200, body: '{"status":"ok"}\n' })
  expect(await get('/readyz')).toMatchObject({ status: 200 })
  await enqueue('signed_up', 'order_placed')
  await fake.until(() => fake.counts.applied === 2)

  const health = await get('/health/customerio')
  expect(health.status).toBe(200)
  expect(JSON.parse(health.body)).toMatchObject({
    circuit_state: 'closed',
    failure_count: 0,
    last_failure: null,
  })
  const metrics = await eventually('the count', async () => {
    const { body } = await get('/metrics')
    return body.includes('customerio_outbox_delivered_total{destination="default/track"} 2') && body
  })
  expect(metrics).toContain('customerio_outbox_database_up 1')
  expect(metrics).toMatch(/customerio_outbox_pending\{destination="default\/track"\} \d/)
  expect(metrics).toContain('customerio_outbox_breaker_state{destination="default/track",state="closed"} 1')
  expect(metrics).toContain('customerio_outbox_relays_alive 1')

  relay.child.kill('SIGTERM')
  const { status, stdout, stderr } = await relay.ended()
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  const lines = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(lines.map(({ message }) => message)).toEqual(['listening', 'started', 'stopping', 'stopped'])
  for (const secret of [KEY, EMAIL]) expect(stdout + health.body + metrics).not.toContain(secret)
  expect(await db.rows('SELECT 1 FROM outbox.relay_fleet')).toEqual([])
})

test('another path is answered 404, and another method 405', async () => {
  const { get } = await startRelay()
  for (const path of ['/', '/metrics/', '/constructor', '/health']) expect((await get(path)).status).toBe(404)
  const posted = await get('/metrics', { method: 'POST', body: 'x'.repeat(100_000) })
  expect(posted.status).toBe(405)
  expect(posted.headers.get('allow')).toBe('GET, HEAD')
  expect(await get('/healthz', { method: 'HEAD' })).toMatchObject({ status: 200, body: '' })
})

test('with an open breaker /health/customerio answers 503, so that a load balancer can see it', async () => {
  const { get, relay } = await startRelay('--breaker-failures', '1', '--breaker-half-open-after', '600')
  fake.misbehave({ kind: 'outage' })
  await enqueue('signed_up')
  const { body } = await eventually('the open breaker', async () => {
    const answer = await get('/health/customerio')
    return answer.status === 503 && answer
  })
  expect(JSON.parse(body)).toMatchObject({
    circuit_state: 'open',
    failure_count: expect.any(Number),
    last_failure: expect.stringMatching(/^\d{4}-/),
    destinations: { 'default/track': { circuit_state: 'open', retry_at: expect.any(String) } },
  })
  expect((await get('/readyz')).status).toBe(200)
  await relay.printed(/"to":"open","message":"breaker changed"/)
  expect(relay.stdout).not.toContain(EMAIL)
})

test('without its database a relay is not ready, reports an unknown circuit, and still has valid metrics', async () => {
  const { get, relay } = await startRelay()
  const server = new URL(db.url)
  const name = server.pathname.slice(1)
  // Connects to another database of the server, because the test makes this one refuse connections.
  const { default: pg } = await import('pg')
  server.pathname = '/postgres'
  const admin = new pg.Client({ connectionString: server.toString() })
  await admin.connect()
  await db.pool.query('SELECT 1')
  try {
    await admin.query(`ALTER DATABASE "${name}" ALLOW_CONNECTIONS false`)
    await admin.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1', [name])
    await eventually('not ready', async () => (await get('/readyz')).status === 503)
    expect((await get('/healthz')).status).toBe(200)
    const health = await eventually('no circuit', async () => {
      const answer = await get('/health/customerio')
      return answer.status === 503 && answer
    })
    expect(JSON.parse(health.body)).toMatchObject({ circuit_state: 'unknown' })
    const metrics = await eventually('metrics without a database', async () => {
      const answer = await get('/metrics')
      return answer.body.includes('customerio_outbox_database_up 0') && answer
    })
    expect(metrics.status).toBe(200)
    expect(metrics.body).toContain('process_cpu_seconds_total')
    expect(metrics.body).not.toMatch(/^customerio_outbox_(pending|relays_alive)\W.*\d$/m)
  } finally {
    await admin.query(`ALTER DATABASE "${name}" ALLOW_CONNECTIONS true`)
    await admin.end()
  }
  await eventually('ready again', async () => (await get('/readyz')).status === 200)
  relay.child.kill('SIGTERM')
  expect((await relay.ended()).status).toBe(0)
})

test('a request that does not end is abandoned after the grace period, and the exit status is 1', async () => {
  const { relay } = await startRelay('--shutdown-timeout', '1', '--request-timeout', '60')
  fake.misbehave({ kind: 'hang' })
  await enqueue('signed_up')
  await fake.until(() => fake.counts.requests === 2) // the first request asked for the region
  relay.child.kill('SIGTERM')
  expect((await relay.ended()).status).toBe(1)
  expect(relay.stdout).toContain('shutdown timed out')
})

test('a second signal ends the relay at once', async () => {
  const { relay } = await startRelay('--request-timeout', '60')
  fake.misbehave({ kind: 'hang' })
  await enqueue('signed_up')
  await fake.until(() => fake.counts.requests === 2) // the first request asked for the region
  relay.child.kill('SIGINT')
  await relay.printed(/"signal":"SIGINT","message":"stopping"/)
  relay.child.kill('SIGINT')
  expect((await relay.ended()).status).toBe(130)
})

test('for a port in use the relay prints one line, and exits with status 2', async () => {
  const port = new URL(fake.url).port
  const relay = startCli(['relay', '--host', '127.0.0.1', '--port', port], {
    DATABASE_URL: db.url,
    CUSTOMERIO_SITE_ID: 'site',
    CUSTOMERIO_TRACK_API_KEY: KEY,
  })
  const { status, stderr } = await relay.ended()
  expect(stderr).toMatch(
    /^customerio-outbox: cannot listen on 127\.0\.0\.1:\d+: .*EADDRINUSE.*: pass another --host or --port\n$/,
  )
  expect(status).toBe(2)
})
