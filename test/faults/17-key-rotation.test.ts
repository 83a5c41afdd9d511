import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { startCli } from '../support/cli.ts'
import { eventually } from '../support/eventually.ts'
import { type Harness, startHarness, stepOf, track } from '../support/relay-harness.ts'
import { accountFor, breakerState, findings, transitions } from './support/account.ts'
import { type Gateway, type Intercepted, startGateway } from './support/network/gateway.ts'

/*
 * Guards the pause, `probeNow` and `SupersededError`.
 * A test fails after each of these changes:
 * - if a 401 is classified as `unavailable`: the breaker opens, and the destination is never paused;
 * - without `probeNow` after a change: nothing is sent before the probe is due;
 * - if late answers to former settings count (`concernsSettings`): the destination is paused for 30 s, or the breaker is
 *   open for an hour;
 * - if a refused probe with a former key counts: the breaker closes after two successes instead of three.
 */

let h: Harness
let gateway: Gateway
let folder: string
const ended: (() => unknown)[] = []
beforeEach(async () => {
  h = await startHarness({ sequenceOf: stepOf })
  gateway = await startGateway(h.fake)
  folder = await mkdtemp(path.join(tmpdir(), 'outbox-key-'))
})
afterEach(async () => {
  for (const end of ended.splice(0)) end()
  await gateway.close()
  await h.close()
  await rm(folder, { recursive: true })
})

const people = (count: number) => Array.from({ length: count }, (_, n) => track(`u${n % 20}`, n))

/** A relay of the command line, with its key in a file. */
async function startRelay(halfOpenAfter: string) {
  const config = path.join(folder, 'relay.json')
  const key = (text: string) => writeFile(path.join(folder, 'key'), text)
  await key('the-old-key')
  await writeFile(path.join(folder, 'site'), 'site')
  const site = { siteId: { file: 'site' }, trackApiKey: { file: 'key' }, trackUrl: gateway.url }
  await writeFile(config, JSON.stringify({ workspaces: { default: site } }))
  const relay = startCli(
    [
      'relay',
      '--no-check-region',
      '--config',
      config,
      '--host',
      '127.0.0.1',
      '--port',
      '0',
      '--breaker-half-open-after',
      halfOpenAfter,
    ],
    { DATABASE_URL: h.db.url },
  )
  ended.push(() => relay.child.kill('SIGKILL'))
  const [, port] = await relay.printed(/"port":(\d+),"message":"listening"/)
  await relay.printed(/"message":"started"/)
  const health = async () => {
    const answer = await fetch(`http://127.0.0.1:${port}/health/customerio`)
    return { status: answer.status, body: (await answer.json()) as Record<string, unknown> }
  }
  return { relay, key, health }
}

async function untilReported({ relay, health }: Awaited<ReturnType<typeof startRelay>>) {
  await relay.printed(/"to":"paused","message":"breaker changed"/)
  const row = await eventually('the row', () => breakerState(h)) // the relay logs before it writes the row
  expect(row.last_error).toContain('401')
  const [view] = await h.db.rows<{ status: string; reasons: string[] }>('SELECT * FROM outbox.health')
  expect(view).toMatchObject({ status: 'degraded' })
  expect(view?.reasons.join()).toMatch(/default\/track is (paused|half_open) .*401/)
  await eventually('the health endpoint to report it', async () => (await health()).status === 503)
}

test('17: a rotated key pauses the destination and is reported, makes no dead letter, and a corrected key ends the pause', async () => {
  h.fake.credentials = { siteId: 'site', apiKey: 'the-old-key' }
  const relay = await startRelay('0.3')
  h.fake.credentials = { siteId: 'site', apiKey: 'the-new-key' }
  const ids = await h.enqueue(...people(300))
  await untilReported(relay)
  await eventually(
    'refused probes',
    async () => (await transitions(h)).filter((t) => t === 'half_open>paused').length >= 3,
  )
  expect(await transitions(h)).not.toContain('half_open>closed')
  expect(await accountFor(h, ids)).toEqual({ delivered: 0, dead: 0, pending: 300, attempts: 0 })
  h.fake.credentials = { siteId: 'site', apiKey: 'the-old-key' } // corrected in Customer.io
  await h.drained()
  expect(h.fake.counts).toMatchObject({ applied: 300, duplicates: 0, outOfOrder: 0 })
  expect(await findings(h, ids)).toEqual([])
  await eventually('health', async () => (await relay.health()).status === 200)
  await relay.relay.printed(/"to":"closed","message":"breaker changed"/)
})

test('17: the relay tries a new key in the settings at once, not when the next probe is due', async () => {
  h.fake.credentials = { siteId: 'site', apiKey: 'the-new-key' }
  const relay = await startRelay('3600')
  const ids = await h.enqueue(...people(300))
  await untilReported(relay)
  const due = (await breakerState(h))?.retry_at
  await relay.key('the-new-key')
  await h.drained()
  const sent = h.fake.requests.recent
    .filter(({ status }) => status === 200)
    .map(({ receivedAt }) => receivedAt)
  expect(Math.min(...sent)).toBeLessThan(Number(due))
  expect(await accountFor(h, ids)).toMatchObject({ delivered: 300, dead: 0 })
  expect(h.fake.counts).toMatchObject({ applied: 300, duplicates: 0, outOfOrder: 0 })
  expect(await findings(h, ids)).toEqual([])
})

const workspace = (trackApiKey: string) => ({ siteId: 'site', trackApiKey, trackUrl: gateway.url })
/** A breaker that stays in its state for an hour. */
const PATIENT = {
  breaker: { failures: 5, successes: 3, halfOpenAfterMs: 3_600_000, maxHalfOpenAfterMs: 3_600_000 },
}

/** Holds the requests that carry the old key until `answer` is called. */
function holdBackOldKey() {
  const old = `Basic ${Buffer.from('site:the-old-key').toString('base64')}`
  const held: Intercepted[] = []
  gateway.intercept((intercepted) => {
    if (intercepted.passage.authorization !== old) return 'pass on'
    held.push(intercepted)
  })
  const answer = (how: (intercepted: Intercepted) => unknown) => held.splice(0).map(how)
  return { held, answer }
}

const refuse = ({ response }: Intercepted) =>
  response
    .writeHead(401, { 'content-type': 'application/json' })
    .end('{"meta":{"error":"Unauthorized request"}}')

test.each([
  ['401', refuse],
  // A 5xx would be compared with canaries before it counts, and those carry the new key.
  ['failure', ({ request }: Intercepted) => request.socket.destroy()],
])(
  '17: a late %s to the old key neither pauses nor opens the breaker once the relay uses the new key',
  async (_, how) => {
    const { held, answer } = holdBackOldKey()
    const relay = await h.relay({
      workspaces: { default: workspace('the-old-key') },
      ...PATIENT,
      requestTimeoutMs: 20_000,
      batchSize: 20, // a batch of more than half a request is sent alone, so that the breaker could count each
    })
    const ids = await h.enqueue(...people(300))
    const [{ lanes } = { lanes: 0 }] = await h.db.rows<{ lanes: number }>(
      'SELECT count(DISTINCT lane)::int AS lanes FROM outbox.intents',
    )
    await eventually('a request of every lane', () => held.length === lanes)
    await relay.updateWorkspaces({ default: workspace('the-new-key') })
    answer(how)
    await h.drained()
    expect(await transitions(h)).toEqual([])
    expect(await accountFor(h, ids)).toMatchObject({ delivered: 300, dead: 0 })
    expect(h.fake.counts).toMatchObject({ applied: 300, duplicates: 0, outOfOrder: 0 })
    expect(await findings(h, ids)).toEqual([])
  },
)

test('17: after a probe with the old key is refused, a probe with the new key follows at once', async () => {
  const { held, answer } = holdBackOldKey()
  await h.db.rows(
    `INSERT INTO outbox.breakers (destination, state, opened_at, retry_at, last_error)
     VALUES ('default/track', 'paused', now(), now(), '401: x')`,
  )
  const relay = await h.relay({
    workspaces: { default: workspace('the-old-key') },
    ...PATIENT,
    requestTimeoutMs: 20_000,
  })
  const ids = await h.enqueue(...people(300))
  await eventually('the probe', () => held.length === 1)
  await relay.updateWorkspaces({ default: workspace('the-new-key') })
  answer(refuse)
  await h.drained()
  expect(await transitions(h)).toEqual(['paused>half_open', 'half_open>closed'])
  // Three successes close the breaker, and the refused probe is no success: four probes.
  expect(gateway.passages.filter(({ body }) => JSON.parse(body.toString()).batch.length === 1)).toHaveLength(
    4,
  )
  expect(await accountFor(h, ids)).toMatchObject({ delivered: 300, dead: 0 })
})

test('17: a message in flight with the old key when the key changes is sent once', async () => {
  h.fake.credentials = { appApiKey: 'the-new-key' }
  const held: Intercepted[] = []
  gateway.intercept((intercepted) => {
    if (intercepted.passage.authorization === 'Bearer the-new-key') return 'pass on'
    held.push(intercepted)
  })
  const app = (appApiKey: string) => ({ default: { appApiKey, appUrl: gateway.url } })
  const relay = await h.relay({ workspaces: app('the-old-key'), ...PATIENT, requestTimeoutMs: 20_000 })
  const message = { to: 'u1@example.com', identifiers: { id: 'u1' }, transactional_message_id: 1 }
  const ids = await h.enqueue({ operation: 'sendEmail', message })
  await eventually('the request', () => held.length === 1)
  await relay.updateWorkspaces(app('the-new-key'))
  await held[0]?.forward() // refused
  await h.drained()
  expect(h.fake.sends).toHaveLength(1)
  expect(await transitions(h, 'default/app')).toEqual([])
  expect(await accountFor(h, ids)).toMatchObject({ delivered: 1, dead: 0 })
})
