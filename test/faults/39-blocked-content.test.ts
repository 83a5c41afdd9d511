import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Intent } from '../../src/index.ts'
import type { SendEmailIntent } from '../../src/intent/message-intents.ts'
import { eventually } from '../support/eventually.ts'
import {
  email,
  everyApi,
  type Harness,
  peopleOfOneLane,
  startHarness,
  stepOf,
  track,
} from '../support/relay-harness.ts'
import { accountFor, breakerState, findings, transitions } from './support/account.ts'
import { type Gateway, type Intercepted, startGateway } from './support/network/gateway.ts'

/*
 * Guards the comparison of a refused request with another one before the credential is blamed.
 * A test fails after each of these changes:
 * - if a refusal counts at once (`#recordSend` pauses at the first), the destination is paused in all tests but the last
 *   four and the one with 406;
 * - if a 4xx is never about the content (`mayBlameContent` only from 500 on), no other intent is delivered either;
 * - if the account is not checked (`canCheckCredential` false), a culprit that is alone in the queue pauses the
 *   destination;
 * - if no canary follows an account check without a result (`unknown` taken as `fail`), the destination is paused;
 * - if a message is not compared with other messages of its wave (`compare` of src/relay/send/end-wave.ts always `fail`),
 *   the culprit's next attempt pauses the App API;
 * - if charged intents are no exception (`compareWithHistory` of src/relay/send/attribute.ts ignores `provesNothing`), an
 *   intent that is refused again, alone, pauses its destination.
 */

/** A paused destination stays paused, and an open breaker open, for longer than the test takes. */
const BREAKER = { failures: 5, successes: 3, halfOpenAfterMs: 60_000, maxHalfOpenAfterMs: 60_000 }
const SETTINGS = {
  requestTimeoutMs: 10_000,
  retry: { maxRetries: 2, initialDelayMs: 20 },
  breaker: BREAKER,
  intentRetry: { attempts: 3, initialDelayMs: 100, maxDelayMs: 200 },
}

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

const relay = (batchSize = 1_000) => h.relay({ ...SETTINGS, batchSize, customerio: everyApi(gateway) })

function blocked(customerId: string, n: number): Intent {
  return { operation: 'track', customerId, name: 'step', data: { n, comment: '<script>' } }
}

function blockedEmail(customerId: string, n: number): Intent {
  const { message } = email(customerId, n) as SendEmailIntent
  return { operation: 'sendEmail', message: { ...message, message_data: { n, text: '<script>' } } }
}

/** A firewall that answers each request with the word `<script>` with a page of its own. */
function firewall(status: number) {
  gateway.intercept(({ passage, response }) =>
    passage.body.includes('<script>') ? refuse(response, status) : 'pass on',
  )
}

function refuse(response: Intercepted['response'], status: number): void {
  response.writeHead(status, { 'content-type': 'text/html' }).end('<html>Request blocked</html>')
}

const deadLetters = () =>
  h.db.rows<{ id: string; reason: string; status: number }>(
    'SELECT id, reason, status FROM outbox.dead_letters ORDER BY seq',
  )

test.each([
  ['one culprit among many', 403, [600]],
  ['the culprit comes first', 403, [0]],
  ['several culprits', 403, [3, 4, 300, 599, 600, 900, 1_197]],
  ['with 401 instead of 403', 401, [600]],
  ['with 406 instead of 403', 406, [600, 601]],
] as const)(
  '39: a firewall refuses a word, %s: all other intents are delivered, and nothing is paused',
  async (_, status, at) => {
    firewall(status)
    const culprits = new Set<number>(at)
    const ids = await h.enqueue(
      ...Array.from({ length: 1_198 }, (_, n) =>
        culprits.has(n) ? blocked(`culprit ${n}`, n) : track(`u${n % 300}`, n),
      ),
    )
    await relay()
    const others = ids.length - culprits.size
    await h.fake.until(() => h.fake.counts.applied === others, { timeoutMs: 10_000 })
    await h.drained(10_000)
    expect(await deadLetters()).toEqual(at.map((n) => ({ id: ids[n], reason: 'exhausted', status })))
    expect(h.fake.counts).toMatchObject({ applied: others, duplicates: 0, outOfOrder: 0 })
    expect(await findings(h, ids)).toEqual([])
    expect(await transitions(h)).toEqual([])
  },
)

test('39: a firewall refuses the only intent in the queue: the relay checks the account, and does not blame the credential', async () => {
  firewall(403)
  await h.enqueue(blocked('culprit', 1))
  await relay()
  await eventually('a dead letter', async () => (await deadLetters()).length === 1)
  expect(gateway.passages.map(({ path }) => path)).toContain('/api/v1/accounts/region')
  expect(await transitions(h)).toEqual([])
})

test('39: a firewall refuses an intent and the account check: another intent shows that the credential is accepted', async () => {
  gateway.intercept(({ passage, response }) =>
    passage.path.endsWith('/accounts/region') || passage.body.includes('<script>')
      ? refuse(response, passage.body.length > 0 ? 403 : 404)
      : 'pass on',
  )
  const [culprit, ...people] = await peopleOfOneLane(h.db, 'default/track', 20)
  const [blockedId, ...ids] = await h.enqueue(
    blocked(culprit as string, 0),
    ...people.map((person, n) => track(person, n)),
  )
  await relay()
  await h.drained(10_000)
  expect(await deadLetters()).toEqual([{ id: blockedId, reason: 'exhausted', status: 403 }])
  expect(await accountFor(h, ids)).toMatchObject({ delivered: 19 })
  expect(await transitions(h)).toEqual([])
})

test.each([
  ['event', 'default/track', blocked, track],
  ['message', 'default/app', blockedEmail, email],
] as const)(
  '39: one %s that was refused before is refused again, alone: nothing is charged or paused until other intents pass',
  async (_, destination, blockedOne, other) => {
    let refused = 0
    gateway.intercept(({ passage, response }) => {
      if (passage.path.endsWith('/accounts/region')) return refuse(response, 404)
      if (!passage.body.includes('<script>')) return 'pass on'
      refused++
      refuse(response, 403)
    })
    const ids = await h.enqueue(blockedOne('culprit', 0))
    await h.db.rows('UPDATE outbox.intents SET attempts = 2')
    await relay()
    await eventually('two refusals', () => refused >= 2)
    expect(await accountFor(h, ids)).toEqual({ delivered: 0, dead: 0, pending: 1, attempts: 2 })
    await h.enqueue(...Array.from({ length: 20 }, (_, n) => other(`u${n}`, n)))
    await h.drained(15_000)
    expect(await deadLetters()).toEqual([{ id: ids[0], reason: 'exhausted', status: 403 }])
    expect(await transitions(h, destination)).toEqual([])
  },
)

test.each([1, 3])(
  '39: a firewall refuses messages to %d of 40 people: all other people get theirs',
  async (count) => {
    firewall(403)
    const ids = await h.enqueue(
      ...Array.from({ length: 40 }, (_, n) => {
        const isCulprit = n % 13 === 0 && n < 13 * count
        return isCulprit ? blockedEmail(`u${n}`, n) : email(`u${n}`, n)
      }),
    )
    await relay()
    await h.fake.until(() => h.fake.counts.sends === 40 - count, { timeoutMs: 10_000 })
    await h.drained(10_000)
    expect(await deadLetters()).toEqual(
      [0, 13, 26].slice(0, count).map((n) => ({ id: ids[n], reason: 'exhausted', status: 403 })),
    )
    expect(await transitions(h, 'default/app')).toEqual([])
  },
)

test('39: under a low rate limit a refused message is sent alone: another message shows that the credential is accepted', async () => {
  firewall(403)
  const people = await peopleOfOneLane(h.db, 'default/app', 6)
  const [culprit] = await h.enqueue(
    ...people.map((person, n) => (n === 0 ? blockedEmail(person, n) : email(person, n))),
  )
  const limits = { requestsPerSecond: { app: 4 } }
  await h.relay({ ...SETTINGS, workspaces: { default: { ...everyApi(gateway), ...limits } } })
  await h.drained(10_000)
  expect(await deadLetters()).toEqual([{ id: culprit, reason: 'exhausted', status: 403 }])
  expect(h.fake.counts.sends).toBe(5)
  expect(await transitions(h, 'default/app')).toEqual([])
})

test.each([401, 403] as const)(
  '39: an answer of %d to every request pauses both APIs within a few requests, and no attempt is charged',
  async (status) => {
    gateway.intercept(({ response }) => refuse(response, status))
    const people = Array.from({ length: 400 }, (_, n) => `u${n}`)
    const ids = await h.enqueue(...people.map((person, n) => track(person, n)))
    const messages = await h.enqueue(...people.slice(0, 100).map((person, n) => email(person, n)))
    await relay(10)
    for (const destination of ['default/track', 'default/app']) {
      await eventually('a pause', async () => (await breakerState(h, destination))?.state === 'paused')
      expect(await transitions(h, destination)).toEqual(['closed>paused'])
    }
    await eventually('no claimed lane', async () => {
      return (await h.db.rows('SELECT 1 FROM outbox.lanes WHERE relay_id IS NOT NULL')).length === 0
    })
    const isTrack = ({ path }: { path: string }) => path.includes('/batch') || path.includes('/region')
    // At most a batch of each of 16 lanes, the account check, and two canaries.
    expect(gateway.passages.filter(isTrack).length).toBeLessThanOrEqual(16 + 3)
    // A wave has messages to at most 8 people of a lane.
    expect(gateway.passages.filter((passage) => !isTrack(passage)).length).toBeLessThanOrEqual(16 * 8)
    const nothing = { delivered: 0, dead: 0, attempts: 0 }
    expect(await accountFor(h, ids)).toEqual({ ...nothing, pending: 400 })
    expect(await accountFor(h, messages)).toEqual({ ...nothing, pending: 100 })
  },
)

test('39: an answer of 405 to every request opens the breaker like any outage, and makes no dead letter', async () => {
  gateway.intercept(({ response }) => refuse(response, 405))
  const ids = await h.enqueue(...Array.from({ length: 400 }, (_, n) => track(`u${n}`, n)))
  await relay(10)
  await eventually('an open breaker', async () => (await transitions(h)).includes('closed>open'))
  expect(await accountFor(h, ids)).toEqual({ delivered: 0, dead: 0, pending: 400, attempts: 0 })
  expect(gateway.passages.length).toBeLessThanOrEqual(16 + 5)
})
