import { afterEach, beforeEach, expect, test } from 'vitest'
import { createRelay, type Relay } from '../../src/relay.ts'
import { openDatabase } from '../../src/store/connection/database.ts'
import { rateLimitDestination } from '../../src/store/breakers/rate-limit-destination.ts'
import { openBreaker } from '../../src/store/breakers/open-breaker.ts'
import { probeNow } from '../../src/store/breakers/probe-now.ts'
import { eventually } from '../support/eventually.ts'
import { email, everyApi, type Harness, QUICK, startHarness, track } from '../support/relay-harness.ts'

let h: Harness
beforeEach(async () => {
  h = await startHarness()
})
afterEach(() => h.close())

const pause = async (destination = 'default/track', reason?: string) =>
  (await h.db.rows<{ paused: boolean }>('SELECT outbox.pause($1, $2) AS paused', [destination, reason]))[0]
    ?.paused
const resume = async (destination = 'default/track') =>
  (await h.db.rows<{ resumed: string }>('SELECT outbox.resume($1) AS resumed', [destination]))[0]?.resumed
const row = async () =>
  (await h.db.rows("SELECT * FROM outbox.breakers WHERE destination = 'default/track'"))[0]
const left = () => h.db.rows("SELECT FROM outbox.intents WHERE destination = 'default/track'")

/** Resolves when the relay reports a breaker in this state. */
const seen = (relay: Relay, to: string) =>
  new Promise<void>((resolve) => relay.on('breaker', (change) => change.to === to && resolve()))

/** Resolves when an intent of another destination is delivered, so a relay has polled all lanes with work. */
async function polled(n: number): Promise<void> {
  await h.enqueue(email('bystander', n))
  await h.fake.until(() => h.fake.counts.sends >= n)
}

test('pause stops every relay at once, other destinations go on, and after resume the relays deliver the backlog', async () => {
  const relays = [await h.relay({ pollIntervalMs: 60_000 }), await h.relay({ pollIntervalMs: 60_000 })]
  const stopped = Promise.all(relays.map((relay) => seen(relay, 'paused')))
  expect(await pause()).toBe(true)
  await stopped
  await h.enqueue(track('u1', 1), track('u2', 1))
  await polled(1)
  await polled(2)
  expect(h.fake.counts.applied).toBe(0)
  expect(await resume()).toBe('resumed')
  await h.drained(5_000)
  expect(h.fake.counts.applied).toBe(2)
  expect(await row()).toMatchObject({ state: 'closed', failure_count: 0, opened_at: null, last_error: null })
})

test('requests in flight at the pause are settled; a request that fails is not retried before the resume', async () => {
  const relay = await h.relay({ retry: { maxRetries: 5, initialDelayMs: 500 } })
  h.fake.misbehave({ kind: 'latency', ms: 300, times: 1 })
  await h.enqueue(track('u1', 1))
  await eventually('the request', () => h.fake.counts.requests === 1)
  await pause()
  await eventually('the settlement', async () => (await left()).length === 0)
  expect(await resume()).toBe('resumed')

  const again = seen(relay, 'paused')
  h.fake.misbehave({ kind: 'serverError', status: 503, times: 1 })
  await h.enqueue(track('u1', 2))
  await eventually('the failed request', () => h.fake.counts.requests === 2)
  await pause()
  await again
  const turn = 'SELECT FROM outbox.lanes WHERE relay_id IS NOT NULL'
  await eventually('the end of the turn', async () => (await h.db.rows(turn)).length === 0)
  expect(h.fake.counts.requests).toBe(2)
  await resume()
  await h.drained()
})

test('a pause outlasts restarts of every relay, a changed key and a rate limit, and shows its operator and reason', async () => {
  await pause('default/track', 'ticket 1234')
  const before = await row()
  const first = await h.relay()
  await first.updateWorkspaces({ default: { ...everyApi(h.fake), trackApiKey: 'another' } })
  await first.stop()
  const db = openDatabase({ connectionString: h.db.url })
  await probeNow(db, ['default/track'])
  await rateLimitDestination(db, 'default/track', 60_000, '429: slow down')
  await db.close()
  await h.relay()
  await h.enqueue(track('u1', 1))
  await polled(1)
  expect(h.fake.counts.applied).toBe(0)
  expect(await row()).toEqual({ ...before, rate_limited_until: expect.any(Date) })
  const [state] = await h.db.rows('SELECT state, retry_at, last_error FROM outbox.breaker_state')
  expect(state).toEqual({ state: 'paused', retry_at: null, last_error: 'paused by postgres: ticket 1234' })
})

test('a relay that starts while a destination is paused reports the state that it found, and no change', async () => {
  await pause()
  const relay = createRelay({ connectionString: h.db.url, customerio: everyApi(h.fake), ...QUICK })
  const reported: unknown[] = []
  relay.on('breaker', (change) => reported.push(change))
  await relay.start()
  await eventually('the state that it found', () => reported.length > 0)
  expect(reported).toEqual([{ destination: 'default/track', from: undefined, to: 'paused' }])
  await resume()
  await eventually('the change', () => reported.length > 1)
  expect(reported.slice(1)).toEqual([{ destination: 'default/track', from: 'paused', to: 'closed' }])
  await relay.stop()
})

test('neither an opening by a relay nor a probe in flight ends a pause', async () => {
  const db = openDatabase({ connectionString: h.db.url })
  const opening = {
    destination: 'default/track',
    state: 'open',
    failureCount: 5,
    error: '503: down',
  } as const
  const delays = { delayMs: 1, maxDelayMs: 1 }
  const relay = createRelay({ connectionString: h.db.url, customerio: everyApi(h.fake), ...QUICK })
  h.fake.misbehave({ kind: 'outage', times: 7 })
  await relay.start()
  await h.enqueue(track('u1', 1), track('u2', 1), track('u3', 1), track('u4', 1), track('u5', 1))
  const forgotten = h.fake.misbehave({ kind: 'latency', ms: 400, match: ({ api }) => api === 'track' })
  await eventually('a probe', async () => (await row())?.state === 'half_open')
  expect(await pause()).toBe(true)
  forgotten()
  expect(await openBreaker(db, { ...opening, ...delays, relayId: relay.relayId })).toBe(false)
  await relay.stop()
  await db.close()
  expect(await row()).toMatchObject({ state: 'paused', retry_at: null, probe_relay: null })
  expect((await left()).length).toBeGreaterThan(0)
})

test('resume of an open breaker, or of a refused key, makes the relay probe at once', async () => {
  const relay = await h.relay({
    breaker: { failures: 5, successes: 1, halfOpenAfterMs: 3_600_000, maxHalfOpenAfterMs: 3_600_000 },
  })
  for (const [kind, state] of [
    ['unauthorized', 'paused'],
    ['outage', 'open'],
  ] as const) {
    const changed = seen(relay, state)
    const misbehaviour = h.fake.misbehave({ kind })
    await h.enqueue(track('u1', 1), track('u2', 1), track('u3', 1), track('u4', 1))
    await changed
    await eventually('the row', async () => (await row())?.state === state)
    misbehaviour()
    expect(await resume()).toBe('probing')
    await h.drained(10_000)
    expect(await row()).toMatchObject({ state: 'closed' })
  }
})

test('pause and resume may be repeated, replace automatic states, and are recorded with operator and reason', async () => {
  expect(await resume()).toBe('unchanged')
  expect(await row()).toBeUndefined()
  await h.db.rows(
    `INSERT INTO outbox.breakers (destination, state, failure_count, opened_at, retry_at, consecutive_opens, probe_relay, probe_until)
     VALUES ('default/track', 'half_open', 9, now() - interval '1 h', now(), 4, gen_random_uuid(), now())`,
  )
  expect(await resume()).toBe('probing')
  expect(await pause('default/track', '  first\n')).toBe(true)
  expect(await pause('default/track', 'second')).toBe(false)
  expect(await row()).toMatchObject({ state: 'paused', last_error: 'paused by postgres: first' })
  expect(await resume()).toBe('resumed')
  expect(await resume()).toBe('unchanged')
  expect(await row()).toMatchObject({ state: 'closed', consecutive_opens: 0, failure_count: 0 })
  expect(await pause('default/track', 'x'.repeat(10_000))).toBe(true)
  const transitions = await h.db.rows<{ t: string; reason: string; relay_id: string | null }>(
    `SELECT from_state || '>' || to_state AS t, reason, relay_id FROM outbox.breaker_transitions ORDER BY ordinal`,
  )
  expect(transitions.map(({ t, reason }) => `${t} ${reason.slice(0, 30)}`)).toEqual([
    'half_open>paused paused by postgres: first',
    'paused>closed resumed by postgres',
    `closed>paused paused by postgres: ${'x'.repeat(10)}`,
  ])
})

test('in SQL, pause_matching and resume_matching take patterns, and refuse one without a match', async () => {
  await h.enqueue(track('u1', 1), email('u1', 1))
  expect(await h.db.rows("SELECT * FROM outbox.pause_matching('*/app', 'ticket 1')")).toEqual([
    { destination: 'default/app', paused: true },
  ])
  expect(await h.db.rows("SELECT * FROM outbox.pause_matching('default/*')")).toEqual([
    { destination: 'default/app', paused: false },
    { destination: 'default/track', paused: true },
  ])
  expect(await h.db.rows("SELECT * FROM outbox.resume_matching('*')")).toEqual([
    { destination: 'default/app', result: 'resumed' },
    { destination: 'default/track', result: 'resumed' },
  ])
  for (const call of ["pause_matching('default_*')", "resume_matching('%')", 'pause_matching(NULL)']) {
    await expect(h.db.rows(`SELECT outbox.${call}`)).rejects.toMatchObject({
      code: '22023',
      message: expect.stringMatching(/^outbox: ('default_\*'|'%'|NULL) matches no known destination$/),
      hint: 'Known: default/app, default/track.',
    })
  }
})

test.each([
  null,
  '',
  'default',
  'default/mail',
  'a b/track',
  '/track',
  'default/track/x',
  "x'; DROP TABLE t; --/track",
])('pause and resume refuse the destination %j in one sentence', async (destination) => {
  const refusal =
    /^outbox: destination must be <workspace>\/<api> with api one of track, app, broadcast, pipelines, got /
  for (const call of ['outbox.pause($1)', 'outbox.resume($1)']) {
    const refused = h.db.rows(`SELECT ${call}`, [destination])
    await expect(refused).rejects.toMatchObject({ code: '22023', message: expect.stringMatching(refusal) })
  }
  expect(await row()).toBeUndefined()
})
