/**
 * A test fails without each of these conditions, because after a step back the following waits for the length of the step:
 * - without the upper bound of `arrives_at` (take-tokens.ts): every request;
 * - without `CLOCK_STEPPED_BACK` (read-breakers.ts): the probe of an open breaker, and the next request after a 429;
 * - without `INVALIDATES_EARLIER_WAITS` (read-breakers.ts): the next request after a 429 from before the step, if another
 *   request failed since then;
 * - without the upper bound of a probe's lease (read-breakers.ts): a destination whose probe a dead relay holds;
 * - without the upper bound in `BlockedKeys` (blocked-keys.ts): an intent that failed alone;
 * - without the condition for failed lanes in read-heartbeats.ts: a failed lane.
 *
 * A test also fails after each of these changes:
 * - if `HeartbeatWatch` compares with the database's clock: another relay takes the lane while its request is in flight,
 *   and a dead worker is noticed an hour later;
 * - without the upper bound of `last_seen_at` in the view `health`: the view counts a dead relay as alive.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { LaneJobs, queueOf } from '../../src/relay/dispatch/lane-jobs.ts'
import { JobQueues } from '../../src/relay/jobs/job-queues.ts'
import { openDatabase } from '../../src/store/connection/database.ts'
import { rateLimitDestination } from '../../src/store/breakers/rate-limit-destination.ts'
import { releaseJobs } from '../../src/store/jobs/release-jobs.ts'
import { type Heartbeat, readHeartbeats } from '../../src/store/jobs/read-heartbeats.ts'
import { eventually } from '../support/eventually.ts'
import { type Harness, peopleOfOneLane, startHarness, stepOf, track } from '../support/relay-harness.ts'
import { type PostgresServer, startPostgresServer } from './support/servers/postgres-server.ts'
import { createServerClock, findFaketime, type ServerClock } from './support/servers/server-clock.ts'
import { TAKEOVER_MS } from './support/takeover.ts'

const WITHIN_MS = 5_000
const HOUR = 3_600
const DESTINATION = 'default/track'

let h: Harness
afterEach(() => h.close())

async function delivered(count: number): Promise<void> {
  await h.fake.until(({ counts }) => counts.applied === count, { timeoutMs: WITHIN_MS })
}

/** Waits until the one lane has failed and is in its backoff. */
async function inBackoff(): Promise<void> {
  const waits = "SELECT 1 FROM outbox_pgboss.job WHERE state = 'retry'"
  await eventually('a lane in backoff', async () => (await h.db.rows(waits)).length > 0)
}

async function breakerIs(condition: string): Promise<void> {
  await eventually(
    condition,
    async () => (await h.db.rows(`SELECT 1 FROM outbox.breakers WHERE ${condition}`)).length > 0,
  )
}

const library = findFaketime('stepping the clock of the database (scenario 43)')

describe.skipIf(!library)('43: the database’s clock steps', () => {
  let clock: ServerClock
  let server: PostgresServer
  const set = (offsetSeconds: number) => clock.set(offsetSeconds)
  beforeAll(async () => {
    clock = await createServerClock(library as string)
    server = await startPostgresServer({ clock })
  })
  beforeEach(async () => {
    await set(0)
    h = await startHarness({ sequenceOf: stepOf }, await server.createDatabase())
  })
  afterAll(async () => {
    await server.close()
    await clock.close()
  })

  test('back and ahead by 100 s and by an hour: delivery continues within 5 s', async () => {
    await h.relay()
    await h.enqueue(track('ada', 1))
    await delivered(1)
    let sent = 1
    for (const offset of [-100, 0, HOUR, 0, -HOUR, 0]) {
      await set(offset)
      await h.enqueue(track('ada', sent + 1), track(`other${sent}`, 1))
      sent += 2
      await delivered(sent)
    }
    expect(h.fake.counts).toMatchObject({ applied: sent, duplicates: 0, outOfOrder: 0 })
  })

  test('back by an hour while a lane is in backoff: the lane continues within 5 s', async () => {
    await h.relay({ breaker: { failures: 50 } })
    h.fake.misbehave({ kind: 'outage', times: 2 })
    await h.enqueue(track('ada', 1))
    await inBackoff()
    await set(-HOUR)
    await delivered(1)
  })

  test('back by an hour while a breaker is open: the destination is probed within 5 s', async () => {
    await h.relay({
      breaker: { failures: 1, successes: 1, halfOpenAfterMs: 2_000, maxHalfOpenAfterMs: 4_000 },
    })
    const endOutage = h.fake.misbehave({ kind: 'outage' })
    await h.enqueue(track('ada', 1))
    await breakerIs("state = 'open'")
    endOutage()
    await set(-HOUR)
    await delivered(1)
  })

  test('back by 100 s while a 429 limits the destination: delivery continues within 5 s', async () => {
    await h.relay()
    h.fake.misbehave({ kind: 'rateLimit', times: 1, retryAfter: 2 })
    await h.enqueue(track('ada', 1))
    await breakerIs('rate_limited_until IS NOT NULL')
    await set(-100)
    await delivered(1)
  })

  test('ahead by an hour repeatedly while a request is in flight: the relay keeps its lane', async () => {
    await h.relay({ requestTimeoutMs: 10_000 })
    await h.relay({ requestTimeoutMs: 10_000 })
    h.fake.misbehave({ kind: 'latency', ms: 4_000, times: 1 })
    await h.enqueue(track('ada', 1))
    await h.fake.until(({ requests }) => requests.total === 1)
    const epochs = () => h.db.rows('SELECT lane, epoch FROM outbox.lanes ORDER BY lane')
    const before = await epochs()
    // By the database's clock, each step makes every heartbeat look missed: another relay would find a dead worker.
    for (let hours = 1; h.fake.requests.recent[0]?.status === undefined; hours++) {
      await set(hours * HOUR)
      await delay(250)
      const now = await epochs()
      if (h.fake.requests.recent[0]?.status === undefined) expect(now).toEqual(before)
    }
    await h.enqueue(...(await peopleOfOneLane(h.db, DESTINATION, 1)).map((person) => track(person, 1)))
    await delivered(1)
    await h.fake.until(({ counts }) => counts.applied === 2, { timeoutMs: 10_000 })
    expect(h.fake.counts).toMatchObject({ applied: 2, duplicates: 0 })
  })
})

/** These tests write the times that a step back leaves behind. So they test its handling without libfaketime, too. */
describe('43: stored times an hour ahead', () => {
  beforeEach(async () => {
    h = await startHarness({ sequenceOf: stepOf })
  })

  test('of the rate limit, of a 429 and of a probe: delivery continues within 5 s', async () => {
    await h.db.rows(
      `INSERT INTO outbox.rate_limits VALUES ($1, clock_timestamp() + interval '100 seconds')`,
      [DESTINATION],
    )
    await h.db.rows(
      `INSERT INTO outbox.breakers (destination, state, opened_at, last_failure_at, retry_at, rate_limited_until, probe_relay, probe_until)
       VALUES ($1, 'half_open', now(), now() + interval '59 minutes', now() + interval '1 hour', now() + interval '1 hour',
               gen_random_uuid(), now() + interval '1 hour')`,
      [DESTINATION],
    )
    await h.enqueue(track('ada', 1), track('bob', 1), track('cy', 1))
    await h.relay()
    await delivered(3)
  })

  test('of an open breaker and of an intent that failed alone: each is retried at once', async () => {
    await h.enqueue(track('ada', 1), track('ada', 2))
    await h.db.rows(
      `UPDATE outbox.intents SET attempts = 1, retry_at = now() + interval '1 hour' WHERE payload #>> '{attributes,n}' = '1'`,
    )
    await h.relay()
    await delivered(2)
    await h.db.rows(
      `INSERT INTO outbox.breakers (destination, state, opened_at, last_failure_at, retry_at, consecutive_opens)
       VALUES ($1, 'open', now() + interval '58 minutes', now() + interval '59 minutes', now() + interval '1 hour', 1)`,
      [DESTINATION],
    )
    await h.enqueue(track('bob', 1))
    await delivered(3)
    expect(h.fake.counts).toMatchObject({ applied: 3, outOfOrder: 0 })
  })

  test.each([
    ['fails, and opens the breaker', { kind: 'outage' }],
    ['is limited', { kind: 'rateLimit', retryAfter: 1, times: 1 }],
  ] as const)(
    'of a 429 whose next request %s: delivery does not wait until the time that the 429 stored',
    async (_, fault) => {
      await h.db.rows(
        `INSERT INTO outbox.breakers (destination, state, last_failure_at, rate_limited_until)
       VALUES ($1, 'closed', now() + interval '59 minutes', now() + interval '1 hour')`,
        [DESTINATION],
      )
      const end = h.fake.misbehave(fault)
      await h.enqueue(track('ada', 1), track('bob', 1))
      await h.relay({ workers: 1 })
      await breakerIs('last_failure_at <= now()')
      end()
      await delivered(2)
    },
  )

  test('of an open breaker: after a later 429, delivery does not wait until the stored time of the probe', async () => {
    await h.db.rows(
      `INSERT INTO outbox.breakers (destination, state, opened_at, last_failure_at, retry_at, consecutive_opens)
       VALUES ($1, 'open', now() + interval '58 minutes', now() + interval '59 minutes', now() + interval '1 hour', 1)`,
      [DESTINATION],
    )
    const db = openDatabase({ connectionString: h.db.url })
    await rateLimitDestination(db, DESTINATION, 1_000, '429')
    await db.close()
    await h.enqueue(track('ada', 1))
    await h.relay()
    await delivered(1)
  })

  test('of jobs: a failed lane continues, and a dead worker is noticed', async () => {
    const [ada, bob] = ['ada', 'bob']
    const relay = await h.relay()
    await h.enqueue(track(ada, 0))
    await delivered(1)
    await relay.stop()
    const job = (state: string, lane: number, times: string) =>
      h.db.rows(
        `INSERT INTO outbox_pgboss.job (name, state, policy, singleton_key, data, retry_limit, retry_delay, retry_backoff,
           retry_delay_max, expire_seconds, heartbeat_seconds, keep_until, start_after, started_on, heartbeat_on)
         VALUES ('lanes/default/track', $1::outbox_pgboss.job_state, 'exclusive', $2, $3, 1000000, 1, true, 30, 86399, 10,
                 now() + interval '1 day', ${times})`,
        [state, `${DESTINATION}#${lane}`, { destination: DESTINATION, lane }],
      )
    const [lanes] = await h.db.rows<{ ada: number; bob: number }>(
      'SELECT outbox.lane_of($1, $2, $4) AS ada, outbox.lane_of($1, $3, $4) AS bob',
      [DESTINATION, ada, bob, 'normal'],
    )
    await h.db.rows('DELETE FROM outbox_pgboss.job')
    await job('retry', lanes?.ada ?? 0, "now() + interval '1 hour', now() + interval '1 hour', NULL")
    // This worker died a minute before the step.
    await job('active', lanes?.bob ?? 0, "now(), now() + interval '59 minutes', now() - interval '1 minute'")
    await h.enqueue(track(ada, 1), track(bob, 1))
    await h.relay()
    await delivered(2)
    await h.fake.until(({ counts }) => counts.applied === 3, { timeoutMs: TAKEOVER_MS })
  })

  test('a worker that sent a heartbeat after it was found dead keeps its lane', async () => {
    const queue = queueOf({ destination: DESTINATION, lane: 3 })
    const db = openDatabase({ connectionString: h.db.url })
    const queues = new JobQueues({ db, connectionString: h.db.url, onError: () => {} })
    const jobs = new LaneJobs(queues)
    await queues.start()
    await jobs.offer(queue, [{ destination: DESTINATION, lane: 3 }])
    const [job] = await jobs.take(queue, 1)
    const stateAfter = async (dead: readonly Heartbeat[]) => {
      await releaseJobs(db, dead)
      return (await h.db.rows<{ state: string }>('SELECT state FROM outbox_pgboss.job'))[0]?.state
    }
    const before = await readHeartbeats(db)
    expect(before).toEqual([
      { id: job?.id, heartbeat: expect.any(String), ageMs: expect.any(Number), silentMs: 0 },
    ])
    await queues.heartbeat(job ? [job] : [])
    expect(await stateAfter(before)).toBe('active')
    expect(await stateAfter(await readHeartbeats(db))).toBe('retry')
    // The next worker's attempt has another number, so a report of the former worker is refused.
    const [again] = await jobs.take(queue, 1)
    expect(again).toEqual({ ...job, retryCount: (job?.retryCount ?? 0) + 1 })
    await queues.stop()
    await db.close()
  })

  test('of a dead relay: health does not count it as alive', async () => {
    await h.db.rows(
      `INSERT INTO outbox.relays (relay_id, host, pid, version, started_at, last_seen_at)
       VALUES (gen_random_uuid(), 'gone', 1, '0', now(), now() + interval '1 hour')`,
    )
    await h.enqueue(track('ada', 1))
    expect(await h.db.rows('SELECT status FROM outbox.health')).toEqual([{ status: 'down' }])
  })
})
