import { afterEach, beforeEach, expect, test } from 'vitest'
import { runCli, startCli } from '../support/cli.ts'
import { eventually } from '../support/eventually.ts'
import { email, everyApi, type Harness, startHarness, stepOf, track } from '../support/relay-harness.ts'
import { accountFor, breakerState, findings, transitions } from './support/account.ts'
import { type Gateway, type Intercepted, startGateway } from './support/network/gateway.ts'

/*
 * Guards the stop of a destination that rejects most intents.
 * A test fails after each of these changes:
 * - if nothing limits rejections (`RejectionWindow.admit` returns its argument): every intent becomes a dead letter, and
 *   the destination never stops;
 * - if rejections of one answer become dead letters even beyond the limit: 1,000 dead letters instead of 100;
 * - if a refused intent stays in the queue although a later one of its key was delivered (`mustGo` always false): it is
 *   overtaken;
 * - if a refused message of the App API beyond the limit does not stay in the queue: 22 dead letters instead of 20;
 * - if answers that were in flight at the stop still make dead letters (without `withoutRejections`): 300 dead letters
 *   instead of 200 with two relays.
 */

let h: Harness
let gateway: Gateway
beforeEach(async () => {
  h = await startHarness({ sequenceOf: stepOf })
  gateway = await startGateway(h.fake)
})
afterEach(async () => {
  await gateway.close()
  await h.close()
})

const relay = (settings = {}) =>
  h.relay({ requestTimeoutMs: 10_000, customerio: everyApi(gateway), ...settings })

const backlog = (count: number) =>
  h.enqueue(...Array.from({ length: count }, (_, n) => track(`u${n % 400}`, n)))

const json = (response: Intercepted['response'], status: number, body: object) =>
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))

/** An answer in Customer.io's own form. */
const OWN_400 = { errors: [{ reason: 'invalid', field: 'name', message: 'secret of u1' }] }

const refuseAll = () => gateway.intercept(({ response }) => json(response, 400, OWN_400))

const refuseEach = () =>
  gateway.intercept(({ passage, response }) => {
    const { batch = [] } = JSON.parse(passage.body.toString() || '{}') as { batch?: unknown[] }
    json(response, 207, { errors: batch.map((_, batch_index) => ({ batch_index, reason: 'invalid' })) })
  })

const isRejecting = async () => (await breakerState(h))?.state === 'rejecting'
const resume = () => h.db.rows<{ resume: string }>(`SELECT outbox.resume('default/track')`)
const noLaneHeld = () =>
  eventually('no claimed lane', async () => {
    return (await h.db.rows('SELECT 1 FROM outbox.lanes WHERE relay_id IS NOT NULL')).length === 0
  })
const dead = async () =>
  (await h.db.rows<{ count: number }>('SELECT count(*)::int FROM outbox.dead_letters'))[0]?.count ?? 0

test('40: if every request is answered 400, the destination stops after 100 dead letters, and the rest is delivered in order after an operator resumes it', async () => {
  refuseAll()
  const ids = await backlog(2_000)
  const running = await relay()
  await eventually('a stop', isRejecting)
  await noLaneHeld()
  expect(await accountFor(h, ids)).toEqual({ delivered: 0, dead: 100, pending: 1_900, attempts: 0 })
  // At most 10 halvings in each of the 16 lanes, and for each of the 100 rejected intents two requests: the larger part
  // that was split, and its own.
  expect(gateway.passages.length).toBeLessThanOrEqual(16 * 10 + 2 * 100)
  expect(await breakerState(h)).toMatchObject({
    state: 'rejecting',
    retry_at: null,
    last_error:
      '100 of the last 100 intents were rejected (400): look at outbox.dead_letters, fix the cause, then run customerio-outbox resume default/track',
  })
  const [health] = await h.db.rows<{ status: string; reasons: string[] }>('SELECT * FROM outbox.health')
  expect(health).toMatchObject({ status: 'degraded' })
  expect(health?.reasons.join()).toMatch(/default\/track is rejecting since .*100 of the last 100 intents/)

  // Changed settings, time and new intents do not end the stop.
  const before = gateway.passages.length
  const more = await h.enqueue(track('late', 0))
  await running.updateWorkspaces({ default: { ...everyApi(gateway), region: 'eu' } })
  expect(await isRejecting()).toBe(true)
  expect(gateway.passages.length).toBe(before)

  gateway.intercept(() => 'pass on')
  expect(await resume()).toEqual([{ resume: 'resumed' }])
  await h.drained()
  expect(await accountFor(h, [...ids, ...more])).toMatchObject({ delivered: 1_901, dead: 100, pending: 0 })
  expect(h.fake.counts).toMatchObject({ applied: 1_901, duplicates: 0, outOfOrder: 0 })
  expect(await findings(h, [...ids, ...more])).toEqual([])
  expect(await transitions(h)).toEqual(['closed>rejecting', 'rejecting>closed'])
})

test('40: the command `status`, the health endpoint and the log report the stop, without any value of an intent or an answer', async () => {
  refuseAll()
  await backlog(300)
  const environment = { DATABASE_URL: h.db.url, CUSTOMERIO_SITE_ID: 'site', CUSTOMERIO_TRACK_API_KEY: 'key' }
  const child = startCli(
    [
      'relay',
      '--no-check-region',
      '--host',
      '127.0.0.1',
      '--port',
      '0',
      '--breaker-rejections',
      '10',
      '--breaker-rejection-share',
      '1',
    ],
    { ...environment, CUSTOMERIO_TRACK_URL: gateway.url },
  )
  try {
    const [, port] = await child.printed(/"port":(\d+),"message":"listening"/)
    await child.printed(/"to":"rejecting","message":"breaker changed"/)
    await eventually('a stop', isRejecting)
    await noLaneHeld()
    expect(await dead()).toBe(10)
    const endpoint = await eventually('the health endpoint to report it', async () => {
      const answer = await fetch(`http://127.0.0.1:${port}/health/customerio`)
      return answer.status === 503 && (await answer.json())
    })
    expect(endpoint).toMatchObject({ circuit_state: 'rejecting' })
    const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
    expect(metrics).toContain(
      'customerio_outbox_breaker_state{destination="default/track",state="rejecting"} 1',
    )
    const { stdout } = await runCli(['status'], environment)
    expect(stdout).toMatch(
      /default\/track is rejecting since .*10 of the last 10 intents were rejected \(400\)/,
    )
    expect(`${stdout}${JSON.stringify(endpoint)}${await breakerState(h).then(JSON.stringify)}`).not.toContain(
      'secret',
    )
    expect((await runCli(['resume', 'default/track'], environment)).stdout).toContain('is resumed')
  } finally {
    child.child.kill('SIGKILL')
  }
})

test('40: a 207 that refuses every operation of a batch makes no more dead letters than refusals in separate answers', async () => {
  refuseEach()
  const ids = await h.enqueueWith(
    { orderingKey: 'one lane' },
    ...Array.from({ length: 1_000 }, (_, n) => track('u', n)),
  )
  await relay()
  await eventually('a stop', isRejecting)
  await noLaneHeld()
  expect(await accountFor(h, ids)).toEqual({ delivered: 0, dead: 100, pending: 900, attempts: 0 })
  expect(gateway.passages.length).toBe(1)
  gateway.intercept(() => 'pass on')
  await resume()
  await h.drained()
  expect(h.fake.counts).toMatchObject({ applied: 900, duplicates: 0, outOfOrder: 0 })
})

test('40: a 207 refuses nine operations of ten: no refused intent stays in the queue if a later one of its key was delivered', async () => {
  h.fake.misbehave({ kind: 'refuse', operation: (op) => Number(stepOf(op)) % 10 !== 9 })
  const ids = await h.enqueueWith(
    { orderingKey: 'one lane' },
    ...Array.from({ length: 400 }, (_, n) => track('u', n)),
  )
  await relay()
  await eventually('a stop', isRejecting)
  await noLaneHeld()
  // All intents have one key. Intent 399 was delivered, so no earlier one may stay in the queue.
  expect(await accountFor(h, ids)).toMatchObject({ delivered: 40, dead: 360, pending: 0 })
})

test('40: the App API: a message that is refused beyond the limit stays in the queue, and is sent after an operator resumes', async () => {
  refuseAll()
  const ids = await h.enqueue(...Array.from({ length: 150 }, (_, n) => email(`u${n}`, n)))
  const breaker = { failures: 5, successes: 3, halfOpenAfterMs: 200, maxHalfOpenAfterMs: 400, rejections: 20 }
  await relay({ breaker })
  await eventually('a stop', async () => (await breakerState(h, 'default/app'))?.state === 'rejecting')
  await noLaneHeld()
  expect(await accountFor(h, ids)).toMatchObject({ delivered: 0, dead: 20, pending: 130 })
  gateway.intercept(() => 'pass on')
  await h.db.rows(`SELECT outbox.resume('default/app')`)
  await h.drained()
  expect(await accountFor(h, ids)).toMatchObject({ delivered: 130, dead: 20, pending: 0 })
})

test('40: a destination goes on if a tenth of the intents is rejected, if three of three are, or if the limit is 0', async () => {
  h.fake.misbehave({ kind: 'refuse', operation: (op) => Number(stepOf(op)) % 10 === 3 })
  const tenth = await backlog(3_000)
  const running = await relay()
  await h.drained(30_000)
  expect(await accountFor(h, tenth)).toMatchObject({ delivered: 2_700, dead: 300 })
  await running.stop()
  refuseAll()
  const three = await backlog(3)
  const second = await relay()
  await h.drained()
  expect(await accountFor(h, three)).toMatchObject({ dead: 3 })
  await second.stop()
  refuseEach()
  const all = await backlog(500)
  const breaker = { failures: 5, successes: 3, halfOpenAfterMs: 200, maxHalfOpenAfterMs: 400, rejections: 0 }
  await relay({ breaker })
  await h.drained()
  expect(await accountFor(h, all)).toMatchObject({ dead: 500 })
  expect(await transitions(h)).toEqual([])
})

test('40: the first stop holds for both of two relays, and after a resume that comes too early the destination stops again', async () => {
  refuseEach()
  const ids = await backlog(4_000)
  await Promise.all([relay({ batchSize: 50 }), relay({ batchSize: 50 })])
  await eventually('a stop', isRejecting)
  await noLaneHeld()
  const first = await accountFor(h, ids)
  expect(first).toMatchObject({ delivered: 0, attempts: 0 })
  expect(first.dead).toBeLessThanOrEqual(200)
  await resume()
  await eventually('another stop', async () => (await transitions(h)).length === 3 && (await isRejecting()))
  await noLaneHeld()
  expect((await accountFor(h, ids)).dead).toBeLessThanOrEqual(400)
  expect(await transitions(h)).toEqual(['closed>rejecting', 'rejecting>closed', 'closed>rejecting'])
})

test('40: an operator’s pause replaces the stop, and after the pause the count of rejections begins anew', async () => {
  refuseAll()
  await backlog(300)
  await relay()
  await eventually('a stop', isRejecting)
  await h.db.rows(`SELECT outbox.pause('default/track', 'we look at it')`)
  expect(await breakerState(h)).toMatchObject({
    state: 'paused',
    last_error: expect.stringContaining('we look at it'),
  })
  gateway.intercept(() => 'pass on')
  expect(await resume()).toEqual([{ resume: 'resumed' }])
  await h.drained()
  expect(await transitions(h)).toEqual(['closed>rejecting', 'rejecting>paused', 'paused>closed'])
})

// An answer in a gateway's own form rejects nothing: it is an outage like any other.
test('40: a gateway that answers 400 in JSON of its own to every request opens the breaker, and makes no dead letter', async () => {
  gateway.intercept(({ response }) => json(response, 400, { message: 'Bad Request' }))
  const ids = await backlog(2_000)
  await relay()
  await eventually('an open breaker', async () => (await transitions(h)).includes('closed>open'))
  expect(await accountFor(h, ids)).toEqual({ delivered: 0, dead: 0, pending: 2_000, attempts: 0 })
  gateway.intercept(() => 'pass on')
  await h.drained()
  expect(h.fake.counts).toMatchObject({ applied: 2_000, duplicates: 0, outOfOrder: 0 })
})

test('40: one intent that a gateway refuses in JSON of its own is isolated, and the rest is delivered', async () => {
  gateway.intercept(({ passage, response }) =>
    passage.body.includes('<script>') ? json(response, 400, { message: 'Bad Request' }) : 'pass on',
  )
  const ids = await backlog(500)
  const [culprit] = await h.enqueue({ operation: 'track', customerId: 'u', name: '<script>', data: {} })
  await relay({ intentRetry: { attempts: 3, initialDelayMs: 50, maxDelayMs: 100 } })
  await h.drained()
  expect(await accountFor(h, ids)).toMatchObject({ delivered: 500 })
  expect(await h.db.rows('SELECT id, reason, status FROM outbox.dead_letters')).toEqual([
    { id: culprit, reason: 'exhausted', status: 400 },
  ])
  expect(await transitions(h)).toEqual([])
})
