import { inspect } from 'node:util'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Intent } from '../../src/index.ts'
import { type CliProcess, runCli, startCli } from '../support/cli.ts'
import { eventually } from '../support/eventually.ts'
import { type Harness, startHarness } from '../support/relay-harness.ts'
import { everyText, textsIn, textsOfLines } from './support/every-row.ts'
import { type Gateway, type Intercepted, startGateway } from './support/network/gateway.ts'

/*
 * Guards the parts of an answer that are kept: `describeAnswer`, `describeError`, `documentedField`, `DELIVERY_ID`, and
 * the events and log lines without a text.
 * A test fails after each of these changes, because it finds forms of a payload in another place:
 * - if `describeAnswer` keeps a piece of the body: every form, in `breaker_transitions.reason` and in the log;
 * - if `describeAnswer` keeps an unchecked content type, or `documentedField` returns the whole path: in the same places,
 *   and in the log lines of dead letters;
 * - if `describeError` keeps the error's message: the forms in the address of a redirect;
 * - if `DELIVERY_ID` matches everything: in `delivered.delivery_id`;
 * - if `withoutRow` returns the error as it is: in the event `error`.
 *
 * A payload belongs in the queue and in the dead letters. Customer.io's text of a refusal may quote the payload, and
 * belongs in `dead_letters.message`. No other place may contain a payload or such a text.
 */

const TEXT = 'Rosalind "Ros" <franklin> & so/on+51'
const NUMBER = 70418260339
const SHORT = 'Zq~7x'

/** By encoding in which a server may quote the payload: a text that reveals it. */
const FORMS: Readonly<Record<string, string>> = {
  verbatim: TEXT,
  number: String(NUMBER),
  percentEncoded: encodeURIComponent(TEXT),
  upperCase: TEXT.toUpperCase(),
  html: 'Rosalind &quot;Ros&quot; &lt;franklin&gt; &amp; so/on+51',
  json: JSON.stringify(TEXT).slice(1, -1),
  base64: Buffer.from(TEXT).toString('base64'),
  truncated: TEXT.slice(0, 8),
  short: SHORT,
}
const ECHO = Object.values(FORMS).join(' | ')
const NEEDLES = [...Object.values(FORMS), 'ROSALIND', Buffer.from(TEXT).toString('base64').slice(0, 12)]

let h: Harness
let gateway: Gateway
const relays: CliProcess[] = []
beforeEach(async () => {
  h = await startHarness()
  gateway = await startGateway(h.fake)
})
afterEach(async () => {
  for (const { child } of relays.splice(0)) child.kill('SIGKILL')
  await gateway.close()
  await h.close()
})

const environment = () => ({
  DATABASE_URL: h.db.url,
  LOG_LEVEL: 'trace',
  CUSTOMERIO_SITE_ID: 'site',
  CUSTOMERIO_TRACK_API_KEY: 'track-key-7d1f0c5e',
  CUSTOMERIO_APP_API_KEY: 'app-key-93b2aa41',
  CUSTOMERIO_PIPELINES_WRITE_KEY: 'write-key-5c66e0d8',
  CUSTOMERIO_TRACK_URL: gateway.url,
  CUSTOMERIO_APP_URL: gateway.url,
  CUSTOMERIO_PIPELINES_URL: gateway.url,
})

const DATA = { text: TEXT, number: NUMBER, short: SHORT }

const intentsOf = (person: string): Intent[] => [
  { operation: 'track', customerId: person, name: 'wrote', data: DATA },
  {
    operation: 'sendEmail',
    message: {
      to: 'someone@example.com',
      identifiers: { id: person },
      transactional_message_id: 1,
      message_data: DATA,
    },
  },
  { operation: 'pipelines.track', message: { userId: person, event: 'wrote', properties: DATA } },
]

const JSON_TYPE = { 'content-type': 'application/json' }
const answer = (status: number, body: unknown, headers: Record<string, string> = JSON_TYPE) => {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  return ({ response }: Intercepted) => response.writeHead(status, headers).end(text)
}
const refusal = { batch_index: 0, reason: ECHO, field: ECHO, message: ECHO }
/** Answers with bytes that a server of Node cannot write. */
const raw = (head: string) => (intercepted: Intercepted) => {
  intercepted.request.socket.end(`${head}\r\n\r\n`)
}

/** Every part of an answer that can quote the request. */
const ECHOING: readonly (readonly [string, (intercepted: Intercepted) => unknown])[] = [
  ['a 400 page', answer(400, `<pre>${ECHO}</pre>`, { 'content-type': 'text/html' })],
  ['a 400 of a gateway', answer(400, { message: ECHO })],
  ['a 400 with a text', answer(400, { meta: { error: ECHO } })],
  ['a 400 with texts', answer(400, { meta: { errors: [ECHO] } })],
  ['a 400 with errors', answer(400, { errors: [refusal] })],
  ['a 207 with errors', answer(207, { errors: [refusal] })],
  ['a 207 with errors of no item', answer(207, { errors: [{ ...refusal, batch_index: ECHO }] })],
  ['a 413', answer(413, ECHO)],
  ['a 429', answer(429, ECHO, { 'retry-after': ECHO })],
  ['a 500 with a text', answer(500, { meta: { error: ECHO } })],
  ['a 502 page', answer(502, `<pre>${ECHO}</pre>`, { 'content-type': 'text/html' })],
  ['a content type', answer(503, '', { 'content-type': ECHO })],
  ['a parameter of a content type', answer(503, '', { 'content-type': `text/html; x=${ECHO}` })],
  ['a 200 with garbage', answer(200, ECHO)],
  ['a 200 with an error', answer(200, { error: ECHO })],
  ['a delivery id', answer(200, { delivery_id: ECHO })],
  ['a location', answer(307, '', { location: `https://127.0.0.1:1/${encodeURIComponent(ECHO)}` })],
  [
    'a location with a user',
    answer(307, '', { location: `https://x:${FORMS.number}@127.0.0.1:1/${encodeURIComponent(ECHO)}` }),
  ],
  ['the host of a location', answer(307, '', { location: `https://${FORMS.number}.invalid/` })],
  ['a location that is not a URL', answer(307, '', { location: ECHO })],
  ['a reason phrase', raw(`HTTP/1.1 500 ${ECHO}`)],
  ['bytes that are not HTTP', raw(ECHO)],
  ['an encoding', answer(200, 'x', { 'content-encoding': ECHO })],
  ['a 401', answer(401, ECHO)],
  ['a 403 with a text', answer(403, { meta: { error: ECHO } })],
]

async function startRelay() {
  const flags =
    '--no-check-region --host 127.0.0.1 --port 0 --request-timeout 0.5 --breaker-failures 1 --breaker-half-open-after 0.1 --breaker-max-half-open-after 0.1'
  const relay = startCli(['relay', ...flags.split(' ')], environment())
  relays.push(relay)
  const [, port] = await relay.printed(/"port":(\d+),"message":"listening"/)
  await relay.printed(/"message":"started"/)
  const get = async (path: string) => (await fetch(`http://127.0.0.1:${port}${path}`)).text()
  return { relay, get }
}

const PAYLOADS_BELONG_HERE = new Set([
  'outbox.intents.payload',
  'outbox.dead_letters.payload',
  'outbox.dead_letters.message',
])

test('46: whatever the encoding in which an answer quotes a payload, only the queue and the dead letters contain it', async () => {
  const { relay, get } = await startRelay()
  for (const [name, echo] of ECHOING) {
    gateway.intercept(echo)
    const { length } = gateway.passages
    await h.enqueue(...intentsOf(name)) // to another person, so mostly in a lane without the backoff of the previous case
    const answered = () => new Set(gateway.passages.slice(length).map(({ path }) => path)).size
    await eventually(`${name} to each API`, () => answered() === 3, 20_000)
  }
  const served = await Promise.all(['/healthz', '/readyz', '/health/customerio', '/metrics'].map(get))
  const commands = await Promise.all(
    [['status'], ['status', '--json']].map((args) => runCli(args, environment())),
  )
  const rows = await everyText(h.db)
  relay.child.kill('SIGTERM')
  const { stdout, stderr } = await relay.ended()
  const places = [
    ...[...rows].filter(([place]) => !PAYLOADS_BELONG_HERE.has(place)),
    ['stdout', textsOfLines(stdout)] as const,
    ['stderr', textsOfLines(stderr)] as const,
    ['endpoints', served.flatMap(textsOfLines)] as const,
    [
      'commands',
      commands.flatMap((run) => [...textsOfLines(run.stdout), ...textsOfLines(run.stderr)]),
    ] as const,
    ['status', textsIn(JSON.parse(commands[1]?.stdout ?? '{}'))] as const,
  ]
  const telling = places.flatMap(([place, texts]) =>
    texts.flatMap((text) =>
      NEEDLES.filter((needle) => text.includes(needle)).map((needle) => `${place}: ${needle}`),
    ),
  )
  expect([...new Set(telling)]).toEqual([])
  // The search did see the texts: a described answer, the log line of a dead letter, and Customer.io's text of a refusal.
  expect(rows.get('outbox.breaker_transitions.reason')?.join('\n')).toMatch(/502: text\/html, [\d,]+ bytes/)
  expect(stdout).toContain('"message":"dead letter"')
  expect(rows.get('outbox.dead_letters.message')?.join('\n')).toContain(TEXT.slice(0, 8))
}, 90_000)

test('46: the database quotes the row of a statement that it refuses, but the event `error` does not', async () => {
  await h.db.pool.query('ALTER TABLE outbox.dead_letters ADD CONSTRAINT refuses_all CHECK (false) NOT VALID')
  const errors: Error[] = []
  const relay = await h.relay()
  relay.on('error', (error) => errors.push(error))
  await h.db.pool.query('SELECT outbox.enqueue($1, $2)', ['track', { customerId: 'u1', name: 5, data: DATA }])
  await eventually('the refusal', () => errors.some((error) => 'code' in error && error.code === '23514'))
  const shown = errors.map((error) => inspect(error, { depth: 9, showHidden: true })).join('\n')
  expect(NEEDLES.filter((needle) => shown.includes(needle))).toEqual([])
})
