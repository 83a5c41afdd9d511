import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Intent } from '../../src/index.ts'
import { openDatabase } from '../../src/store/connection/database.ts'
import { takeTokens } from '../../src/store/breakers/take-tokens.ts'
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

let h: Harness
beforeEach(async () => {
  h = await startHarness({ sequenceOf: stepOf })
})
afterEach(() => h.close())

const at = (requestsPerSecond: { track?: number; app?: number }) => ({
  workspaces: { default: { ...everyApi(h.fake), requestsPerSecond } },
  requestTimeoutMs: 20_000, // no request is sent twice, however slow the machine is
})
const steps = (from: number, total: number): Intent[] =>
  Array.from({ length: total }, (_, n) => track(`u${(from + n) % 100}`, from + n))

/** Returns how many of these times lie within one second, at most. */
function mostInASecond(times: readonly number[]): number {
  return Math.max(...times.map((at) => times.filter((time) => time >= at && time < at + 1_000).length))
}

/** Logs each draw of a token. Resolves with a function that reads the times of the draws: Unix ms by the database's clock. */
async function logDraws(): Promise<() => Promise<number[]>> {
  await h.db.rows(`
    CREATE TABLE draws (at timestamptz NOT NULL);
    CREATE FUNCTION log_draw() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      INSERT INTO draws VALUES (clock_timestamp());
      RETURN NULL;
    END $$;
    CREATE TRIGGER log_draw AFTER INSERT OR UPDATE ON outbox.rate_limits
      FOR EACH ROW EXECUTE FUNCTION log_draw()`)
  return async () => {
    const rows = await h.db.rows<{ at: number }>(
      'SELECT (extract(epoch FROM at) * 1000)::float8 AS at FROM draws ORDER BY 1',
    )
    return rows.map(({ at }) => at)
  }
}

/** Four writers enqueue for `ms` as fast as they can, 20 intents a transaction, each for its own people. Returns the total. */
async function enqueueFor(ms: number): Promise<number> {
  const until = performance.now() + ms
  const write = async (writer: number) => {
    let n = 0
    for (; performance.now() < until; n += 20) {
      const people = Array.from({ length: 20 }, (_, k) => track(`u${writer}-${(n + k) % 100}`, n + k))
      await h.enqueue(...people)
    }
    return n
  }
  const totals = await Promise.all([0, 1, 2, 3].map(write))
  return totals.reduce((sum, total) => sum + total)
}

test('two relays together keep the limit in every second, and a request contains intents of many commits', async () => {
  const draws = await logDraws()
  await Promise.all([h.relay(at({ track: 20 })), h.relay(at({ track: 20 }))])
  await h.enqueue(track('first', 1))
  await h.fake.until(({ requests }) => requests.total === 1) // the relays work from here on
  const total = 1 + (await enqueueFor(2_500))
  await h.drained()
  expect(h.fake.counts).toMatchObject({ applied: total, outOfOrder: 0, duplicates: 0 })
  const times = h.fake.requests.recent.map(({ receivedAt }) => receivedAt)
  expect((times.at(-1) ?? 0) - (times[0] ?? 0)).toBeGreaterThanOrEqual(2_000)
  const drawn = await draws()
  expect(mostInASecond(drawn)).toBeLessThanOrEqual(20 + 1) // 1 for a draw whose log came later
  expect(times.length).toBeLessThanOrEqual(drawn.length)
  for (const [n, from] of times.entries()) {
    // A slow machine delays requests that have drawn their token. Only these may exceed the limit.
    const delayed = Math.max(0, drawn.filter((time) => time < from).length - n)
    const within = times.filter((time) => time >= from && time < from + 1_000)
    expect(within.length).toBeLessThanOrEqual(20 + 2 + delayed) // 2 for requests that took longer to arrive
  }
  expect(total / h.fake.requests.total).toBeGreaterThan(20) // more than the intents of one transaction
})

test('with a limit slightly below that of Customer.io no request is answered with 429', async () => {
  h.fake.limits = { transactionalPerSecond: 100 }
  await Promise.all([h.relay(at({ app: 70 })), h.relay(at({ app: 70 }))])
  await h.enqueue(...Array.from({ length: 250 }, (_, n) => email(`u${n}`, 1)))
  await h.drained()
  expect(h.fake.counts.sends).toBe(250)
  expect(h.fake.requests.byStatus[429]).toBeUndefined()
})

test('the limit of one API delays no other API', async () => {
  await h.relay(at({ track: 0.02 })) // a request every 50 s
  await h.enqueue(track('u1', 1))
  await h.drained()
  await h.enqueue(...steps(2, 100), email('u1', 1))
  await h.fake.until(({ counts }) => counts.sends === 1)
  expect(h.fake.counts.applied).toBe(1)
})

test('many callers ask for the very first token at once: one caller gets it', async () => {
  const db = openDatabase({ connectionString: h.db.url, max: 20 })
  const limit = { requests: 1, perMs: 10_000 }
  for (let n = 0; n < 30; n++) {
    const waits = await Promise.all(Array.from({ length: 20 }, () => takeTokens(db, `limit ${n}`, 1, limit)))
    expect(waits.filter((wait) => wait === 0)).toHaveLength(1)
  }
  await db.close()
})

test('a wait for a token is counted by the clock of the database, and outlives the connection that drew the last token', async () => {
  const limit = { requests: 1, perMs: 60_000 }
  const first = openDatabase({ connectionString: h.db.url })
  expect(await takeTokens(first, 'x', 1, limit)).toBe(0)
  await first.close()
  const second = openDatabase({ connectionString: h.db.url })
  const wait = await takeTokens(second, 'x', 1, limit)
  expect(wait).toBeGreaterThan(50_000)
  expect(wait).toBeLessThanOrEqual(60_000)
  await h.db.rows("UPDATE outbox.rate_limits SET arrives_at = clock_timestamp() - interval '1 s'")
  expect(await takeTokens(second, 'x', 1, limit)).toBe(0)
  await second.close()
})

test('a host with a wrong clock neither stops the fleet nor exceeds the limit', async () => {
  const host = Date.now
  try {
    Date.now = () => host() + 3_600_000
    await h.relay(at({ app: 10 }))
    await h.enqueue(...Array.from({ length: 15 }, (_, n) => email(`u${n}`, 1)))
    await h.fake.until(({ counts }) => counts.sends > 5)
    Date.now = () => host() - 3_600_000
    await h.relay(at({ app: 10 }))
    await h.drained()
  } finally {
    Date.now = host
  }
  expect(h.fake.counts.sends).toBe(15)
  const [row] = await h.db.rows<{ ahead: number }>(
    'SELECT extract(epoch FROM arrives_at - clock_timestamp())::float8 AS ahead FROM outbox.rate_limits',
  )
  expect(Math.abs(row?.ahead ?? 9_999)).toBeLessThan(60)
})

test('several requests in flight that are answered 429 make the fleet wait once, for one second', async () => {
  const people = await peopleOfOneLane(h.db, 'default/app', 8)
  h.fake.latencyMs = 50
  h.fake.misbehave({ kind: 'rateLimit', times: 8 })
  await h.enqueue(...people.map((person) => email(person, 1)))
  await h.relay()
  await eventually('every answer to be recorded', async () => {
    const marked = await h.db.rows('SELECT 1 FROM outbox.intents WHERE sending_at IS NOT NULL')
    return h.fake.requests.byStatus[429] === 8 && marked.length === 0
  })
  const [row] = await h.db.rows<{ seconds: number }>(
    'SELECT extract(epoch FROM rate_limited_until - clock_timestamp())::float8 AS seconds FROM outbox.breakers',
  )
  expect(row?.seconds).toBeLessThanOrEqual(1)
  await h.drained()
  expect(h.fake.counts.sends).toBe(8)
})
