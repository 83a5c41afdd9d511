import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Intent } from '../../src/index.ts'
import { type CliProcess, runCli, startCli } from '../support/cli.ts'
import { eventually } from '../support/eventually.ts'
import { type Harness, startHarness } from '../support/relay-harness.ts'
import { type Gateway, type Intercepted, startGateway } from './support/network/gateway.ts'

/*
 * Guards `redactCredentials` and `describeError`.
 * A test fails after each of these changes:
 * - if `redactCredentials` returns its argument, keys are in `dead_letters.message`;
 * - if `describeError` keeps the error's own message, a redirect's user, password and query are in `breaker_transitions`.
 */

const KEYS = {
  CUSTOMERIO_TRACK_API_KEY: 'track-key-7d1f0c5e',
  CUSTOMERIO_APP_API_KEY: 'app-key-93b2aa41',
  CUSTOMERIO_PIPELINES_WRITE_KEY: 'write-key-5c66e0d8',
}
const SITE = 'site-of-the-test'
/** A text in every payload, and nowhere else. */
const PAYLOAD = 'Rosalind-Franklin-was-here'

/** Each key in the encodings that requests use, or that an answer may echo. */
const secrets = Object.values(KEYS).flatMap((key) => [
  key,
  ...[key, `${key}:`, `${SITE}:${key}`].map((text) => Buffer.from(text).toString('base64')),
])

let h: Harness
let gateway: Gateway
let folder: string
const relays: CliProcess[] = []
beforeEach(async () => {
  h = await startHarness()
  gateway = await startGateway(h.fake)
  folder = await mkdtemp(path.join(tmpdir(), 'outbox-secrets-'))
})
afterEach(async () => {
  for (const { child } of relays.splice(0)) child.kill('SIGKILL')
  await gateway.close()
  await h.close()
  await rm(folder, { recursive: true })
})

const environment = () => ({
  ...KEYS,
  DATABASE_URL: h.db.url,
  LOG_LEVEL: 'trace',
  CUSTOMERIO_SITE_ID: SITE,
  CUSTOMERIO_TRACK_URL: gateway.url,
  CUSTOMERIO_APP_URL: gateway.url,
  CUSTOMERIO_PIPELINES_URL: gateway.url,
})

/** One for each API. Broadcasts share key and code with messages, and would take ten seconds each. */
const intentsOf = (person: string): Intent[] => [
  { operation: 'track', customerId: person, name: 'wrote', data: { text: PAYLOAD } },
  {
    operation: 'sendEmail',
    message: {
      to: 'somebody@example.com',
      identifiers: { id: person },
      transactional_message_id: 1,
      message_data: { text: PAYLOAD },
    },
  },
  {
    operation: 'pipelines.track',
    message: { userId: person, event: 'wrote', properties: { text: PAYLOAD } },
  },
]

/** Everything that a request sent, as a service that echoes it would answer. */
function echo({ passage }: Intercepted): string {
  const { authorization = '', body } = passage
  const decoded = Buffer.from(authorization.replace(/^\w+ /, ''), 'base64').toString()
  return `${authorization} ${decoded} ${body}`
}
const JSON_TYPE = { 'content-type': 'application/json' }
const answer = (
  status: number,
  body: (echoed: string) => unknown,
  headers: Record<string, string> = JSON_TYPE,
) =>
  gateway.intercept((intercepted) => {
    const text = body(echo(intercepted))
    intercepted.response
      .writeHead(status, headers)
      .end(typeof text === 'string' ? text : JSON.stringify(text))
  })

const showHeaders = (status: number) =>
  gateway.intercept(({ passage, response }) =>
    response.writeHead(status).end(`authorization: ${passage.authorization}`),
  )

/** The text of every row of every table and view of both schemas. */
async function everyRow(): Promise<Map<string, string>> {
  const tables = await h.db.rows<{ name: string }>(
    `SELECT format('%I.%I', n.nspname, c.relname) AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname IN ('outbox', 'outbox_pgboss') AND c.relkind IN ('r', 'p', 'v', 'm')`,
  )
  const texts = await Promise.all(
    tables.map(async ({ name }) => {
      const rows = await h.db.rows<{ text: string }>(`SELECT t::text AS text FROM ${name} t`)
      return [name, rows.map(({ text }) => text).join('\n')] as const
    }),
  )
  return new Map(texts)
}

const PAYLOADS_BELONG_HERE = ['outbox.intents', 'outbox.dead_letters']

/** No text contains a key; only the queue and the dead letters contain a payload. */
async function expectNoSecrets(texts: Readonly<Record<string, string>>): Promise<void> {
  const leaks = [...Object.entries(texts), ...(await everyRow())].flatMap(([where, text]) => {
    const forbidden = PAYLOADS_BELONG_HERE.includes(where) ? secrets : [...secrets, PAYLOAD]
    const lines = text.split('\n').filter((line) => forbidden.some((one) => line.includes(one)))
    return lines.map((line) => `${where}: ${line}`)
  })
  expect(leaks).toEqual([])
}

async function startRelay() {
  const relay = startCli(
    [
      'relay',
      '--no-check-region',
      '--host',
      '127.0.0.1',
      '--port',
      '0',
      '--request-timeout',
      '0.5',
      '--breaker-failures',
      '1',
      '--breaker-half-open-after',
      '0.2',
      '--breaker-max-half-open-after',
      '0.2',
    ],
    environment(),
  )
  relays.push(relay)
  const [, port] = await relay.printed(/"port":(\d+),"message":"listening"/)
  await relay.printed(/"message":"started"/)
  const get = async (path: string) => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`)
    return `${[...response.headers].join()}\n${await response.text()}`
  }
  return { relay, get }
}

/** The paths of the three deliveries. The relay may also ask for the account, to check a refused credential. */
const DELIVERIES = ['/api/v2/batch', '/v1/send/email', '/v1/batch']

const echoing: readonly (readonly [string, () => void])[] = [
  ['a 401', () => answer(401, (text) => text)],
  ['a 401 that shows the headers', () => showHeaders(401)],
  ['a 502 that shows the headers', () => showHeaders(502)],
  ['a 403 in JSON', () => answer(403, (error) => ({ meta: { error } }))],
  ['a 400', () => answer(400, (error) => ({ meta: { error } }))],
  [
    'a 400 with errors',
    () => answer(400, (message) => ({ errors: [{ reason: message, field: message, message }] })),
  ],
  [
    'a 207',
    () =>
      answer(207, (message) => ({
        errors: [{ batch_index: 0, reason: 'invalid', field: message, message }],
      })),
  ],
  ['a 429', () => answer(429, (text) => text, { 'retry-after': '0' })],
  ['a 500', () => answer(500, (error) => ({ meta: { error } }))],
  ['a 502 in HTML', () => answer(502, (text) => `<pre>${text}</pre>`, { 'content-type': 'text/html' })],
  ['a 200 with garbage', () => answer(200, (text) => text)],
  ['a 200 with an error', () => answer(200, (error) => ({ error }))],
  [
    'a redirect',
    () =>
      gateway.intercept((i) =>
        i.response
          .writeHead(307, {
            location: `https://x:${KEYS.CUSTOMERIO_APP_API_KEY}@127.0.0.1/?${encodeURIComponent(echo(i))}`,
          })
          .end(),
      ),
  ],
  ['a malformed header', () => gateway.intercept((i) => i.request.socket.end(`${echo(i)}\r\n\r\n`))],
  ['no answer', () => gateway.intercept(() => {})],
  ['a reset', () => gateway.intercept((i) => i.request.socket.resetAndDestroy())],
]

test('no log line, table, view, endpoint or command contains a key or a payload, whatever Customer.io answers', async () => {
  const { relay, get } = await startRelay()
  for (const [name, misbehave] of echoing) {
    misbehave()
    const { length } = gateway.passages
    await h.enqueue(...intentsOf(name)) // to another person, so mostly in a lane without the backoff of the previous case
    const paths = (from: number) =>
      new Set(
        gateway.passages
          .slice(from)
          .filter(({ endedAt }) => endedAt)
          .map(({ path }) => path),
      )
    await eventually(`${name} to each API`, () => DELIVERIES.every((path) => paths(length).has(path)), 20_000)
  }
  gateway.intercept(() => 'pass on')
  await eventually(
    'a settled queue',
    async () => (await h.db.rows('SELECT 1 FROM outbox.intents')).length === 0,
    40_000,
  )
  const endpoints = [
    '/healthz',
    '/readyz',
    '/health/customerio',
    '/metrics',
    '/',
    '/debug',
    '/env',
    '/health/../config',
  ]
  const served = await Promise.all(endpoints.map(async (path) => [path, await get(path)] as const))
  const commands = [['status'], ['status', '--json'], ['migrate']]
  const ran = await Promise.all(
    commands.map(async (args) => {
      const { stdout, stderr } = await runCli(args, environment())
      return [args.join(' '), stdout + stderr] as const
    }),
  )
  relay.child.kill('SIGTERM')
  const { stdout, stderr } = await relay.ended()
  expect(stdout.length).toBeGreaterThan(1_000)
  expect((await h.db.rows('SELECT 1 FROM outbox.dead_letters')).length).toBeGreaterThan(0)
  await expectNoSecrets({ stdout, stderr, ...Object.fromEntries([...served, ...ran]) })
})

test.each([
  [
    'a config file with a syntax error',
    () => `{"workspaces": {"a": {"appApiKey": "${KEYS.CUSTOMERIO_APP_API_KEY}"`,
  ],
  [
    'a key in the config file',
    () => JSON.stringify({ workspaces: { a: { appApiKey: KEYS.CUSTOMERIO_APP_API_KEY } } }),
  ],
  [
    'a key instead of the name of a variable',
    () => JSON.stringify({ workspaces: { a: { appApiKey: { env: KEYS.CUSTOMERIO_APP_API_KEY } } } }),
  ],
  [
    'a workspace that is defined twice',
    () => JSON.stringify({ workspaces: { default: { appApiKey: { env: 'CUSTOMERIO_APP_API_KEY' } } } }),
  ],
])('%s causes one error, which does not contain the key', async (_, config) => {
  const file = path.join(folder, 'relay.json')
  await writeFile(file, config())
  const { status, stdout, stderr } = await runCli(['relay', '--config', file], environment())
  expect(status).toBe(2)
  expect(stderr).toMatch(/^customerio-outbox: /)
  for (const secret of secrets) expect(stdout + stderr).not.toContain(secret)
})
