import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { Answer } from '../../src/customerio/answers/answer.ts'
import { Breakers } from '../../src/relay/breaker/breakers.ts'
import { type Database, openDatabase } from '../../src/store/connection/database.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { eventually } from '../support/eventually.ts'

const DESTINATION = 'default/track'
const OK: Answer = { kind: 'accepted', status: 200, refused: [] }
const DOWN: Answer = { kind: 'unavailable', status: 503, outcome: 'not_applied', message: 'down' }
const REFUSED: Answer = { kind: 'credential', status: 401, message: 'who are you' }
const LIMITED: Answer = { kind: 'rate_limited', retryAfterMs: 50, message: 'slow down' }
const BAD: Answer = { kind: 'rejected', status: 400, message: 'bad' }

let test_: TestDatabase
let db: Database
beforeAll(async () => {
  test_ = await createTestDatabase()
  db = openDatabase({ connectionString: test_.url })
})
afterAll(async () => {
  await db.close()
  await test_.drop()
})
beforeEach(() => test_.rows('TRUNCATE outbox.breakers, outbox.breaker_transitions'))

function raise(error: Error): never {
  throw error
}

/** The fleet's breakers as one relay knows them. */
function relay(halfOpenAfterMs = 30, maxRetries = 0, onError: (error: Error) => void = raise) {
  const relayId = crypto.randomUUID()
  const changes: string[] = []
  const breakers = new Breakers({
    db,
    relayId,
    destinations: () => [DESTINATION],
    settings: {
      requestTimeoutMs: 1_000,
      retry: { maxRetries, initialDelayMs: 1 },
      breaker: {
        failures: 5,
        successes: 3,
        halfOpenAfterMs,
        maxHalfOpenAfterMs: 120,
        rejections: 100,
        rejectionShare: 0.5,
      },
    },
    onChange: (_, from, to) => changes.push(`${from}>${to}`),
    onError,
  })
  const breaker = breakers.get(DESTINATION)
  return {
    breakers,
    breaker,
    changes,
    relayId,
    /** Acquires a permit and sends one request with this answer. Returns the answer, or why there was none. */
    async send(answer: Answer): Promise<Answer | 'no permit' | 'cut off'> {
      const permit = await breaker.acquire()
      if (!permit) return 'no permit'
      return (await breaker.run(permit, async () => answer)) ?? 'cut off'
    },
    async due() {
      await eventually('the probe to be due', async () => {
        await breakers.sync()
        return breaker.eligibility() !== 'none'
      })
    },
  }
}

const row = async () => (await test_.rows('SELECT * FROM outbox.breaker_state'))[0]
const transitions = async () =>
  (
    await test_.rows<{ t: string }>(
      "SELECT from_state || '>' || to_state AS t FROM outbox.breaker_transitions ORDER BY ordinal",
    )
  ).map(({ t }) => t)

test('the fifth consecutive failure opens the breaker for the whole fleet, and a success in between starts the count again', async () => {
  const [a, b] = [relay(60_000), relay(60_000)]
  for (let n = 0; n < 4; n++) await a.send(DOWN)
  expect(await row()).toMatchObject({ state: 'closed', failure_count: 4, last_error: '503: down' })
  await a.send(OK)
  expect(await row()).toMatchObject({ state: 'closed', failure_count: 0 })
  for (let n = 0; n < 5; n++) await a.send(DOWN)
  expect(await row()).toMatchObject({ state: 'open', failure_count: 5, last_error: '503: down' })
  expect(await a.send(OK)).toBe('no permit')
  await b.breakers.sync()
  expect(await b.send(OK)).toBe('no permit')
  expect(b.changes).toEqual(['closed>open'])
})

test('a failure that opens the breaker opens it for the whole fleet, even if its request was about to be retried', async () => {
  const a = relay(60_000, 3)
  expect(await a.send(DOWN)).toEqual(DOWN)
  expect(await a.send(DOWN)).toBe('cut off')
  expect(await row()).toMatchObject({ state: 'open' })
})

test('rejected intents and 429s are not failures of the destination', async () => {
  const a = relay()
  for (let n = 0; n < 10; n++) await a.send(BAD)
  expect(a.breaker.state).toBe('closed')
  await a.send(LIMITED)
  expect(a.breaker.state).toBe('closed')
  expect(await a.send(OK)).toBe('no permit')
  await a.due()
  expect(await a.send(OK)).toEqual(OK)
  expect(await transitions()).toEqual([])
})

test('one relay holds the probe; three successes close the breaker for all relays', async () => {
  const [a, b] = [relay(), relay()]
  for (let n = 0; n < 5; n++) await a.send(DOWN)
  await a.due()
  await b.due()
  expect(await a.send(OK)).toEqual(OK)
  expect(await b.send(OK)).toBe('no permit')
  expect(await a.send(OK)).toEqual(OK)
  expect(a.breaker.state).toBe('half_open')
  expect(await a.send(OK)).toEqual(OK)
  expect(a.breaker.state).toBe('closed')
  await b.breakers.sync()
  expect(await b.send(OK)).toEqual(OK)
  expect(await transitions()).toEqual(['closed>open', 'open>half_open', 'half_open>closed'])
})

test.each([
  ['503', DOWN, 'open'],
  ['401', REFUSED, 'paused'],
  ['429', LIMITED, 'open'],
] as const)('a %s as the answer to a probe does not close the breaker', async (_, answer, state) => {
  const a = relay()
  for (let n = 0; n < 5; n++) await a.send(DOWN)
  await a.due()
  await a.send(OK)
  await a.send(OK)
  await a.send(answer)
  expect(a.breaker.state).toBe(state)
  expect(await row()).toMatchObject({ state })
})

test('a probe whose relay died goes to another relay when its lease ends', async () => {
  const [a, b] = [relay(), relay()]
  for (let n = 0; n < 5; n++) await a.send(DOWN)
  await a.due()
  expect(await a.breaker.acquire()).toBe('probe')
  await b.breakers.sync()
  expect(await b.send(OK)).toBe('no permit')
  await test_.rows("UPDATE outbox.breakers SET probe_until = now() - interval '1 s'")
  await b.breakers.sync()
  expect(await b.send(OK)).toEqual(OK)
})

test('a probe fails and the database does not record the failure: the same relay probes again, and closes the breaker', async () => {
  const errors: Error[] = []
  const a = relay(30, 0, (error) => errors.push(error))
  for (let n = 0; n < 5; n++) await a.send(DOWN)
  await a.due()
  await test_.rows(`
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'not now'; END $$;
    CREATE TRIGGER refuse BEFORE UPDATE ON outbox.breakers FOR EACH ROW WHEN (NEW.state = 'open') EXECUTE FUNCTION refuse()`)
  await a.send(DOWN)
  await test_.rows('DROP FUNCTION refuse CASCADE')
  expect(errors.map(({ message }) => message)).toEqual(['not now'])
  expect(await row()).toMatchObject({ state: 'half_open' })
  await a.breakers.sync()
  for (let n = 0; n < 3; n++) expect(await a.send(OK)).toEqual(OK)
  expect(await row()).toMatchObject({ state: 'closed' })
})

test('within one relay a second lane gets no permit during the probe', async () => {
  const a = relay()
  for (let n = 0; n < 5; n++) await a.send(DOWN)
  await a.due()
  expect(await a.breaker.acquire()).toBe('probe')
  expect(await a.breaker.acquire()).toBeUndefined()
  a.breaker.release('probe')
  expect(await a.breaker.acquire()).toBe('probe')
})

test('the delay to the next probe doubles up to its maximum', async () => {
  const a = relay(30)
  for (let n = 0; n < 5; n++) await a.send(DOWN)
  const delays: number[] = []
  for (let n = 0; n < 4; n++) {
    await a.due()
    await a.send(DOWN)
    const [found] = await test_.rows<{ ms: string }>(
      'SELECT round(extract(epoch FROM retry_at - last_failure_at) * 1000) AS ms FROM outbox.breakers',
    )
    delays.push(Number(found?.ms))
  }
  expect(delays).toEqual([60, 120, 120, 120])
})

test('a request that began before the breaker opened and fails afterwards does not postpone the probe', async () => {
  const a = relay(60_000)
  const permit = await a.breaker.acquire()
  const { promise, resolve } = Promise.withResolvers<Answer>()
  const straggler = a.breaker.run(permit ?? 'send', () => promise)
  for (let n = 0; n < 5; n++) await a.send(DOWN)
  const before = (await row())?.retry_at
  resolve(DOWN)
  await straggler
  expect((await row())?.retry_at).toEqual(before)
  expect(await transitions()).toEqual(['closed>open'])
})

test('a destination that an operator paused is not probed', async () => {
  const a = relay()
  await test_.rows(
    `INSERT INTO outbox.breakers (destination, state, opened_at) VALUES ('${DESTINATION}', 'paused', now())`,
  )
  await a.breakers.sync()
  expect(a.breaker.eligibility()).toBe('none')
  expect(await a.send(OK)).toBe('no permit')
})

test.each([
  ['an opening', DOWN, () => relay(60_000)],
  ['a rate limit', { ...LIMITED, retryAfterMs: 60_000 } as Answer, () => relay()],
])(
  '%s that this relay is still writing is not undone by a read of the breaker rows',
  async (_, answer, start) => {
    const a = start()
    for (let n = 0; n < 4; n++) await a.send(DOWN)
    const other = await test_.begin()
    await other.query('SELECT 1 FROM outbox.breakers FOR UPDATE') // the change has to wait
    try {
      const sent = a.send(answer)
      await eventually('the change', () => a.breaker.eligibility() === 'none')
      await a.breakers.sync()
      expect(a.breaker.eligibility()).toBe('none')
      await other.query('COMMIT')
      await sent
      await a.breakers.sync()
      expect(a.breaker.eligibility()).toBe('none')
    } finally {
      await other.query('ROLLBACK') // if the test fails before its COMMIT
      other.release()
    }
  },
)

test('a stop for rejections whose write fails after the rows were read: the next rejection stops the destination again', async () => {
  const errors: Error[] = []
  const a = relay(30, 0, (error) => errors.push(error))
  const rejected = (n: number) =>
    ({ seq: `${n}`, id: crypto.randomUUID(), reason: 'rejected', status: 400 }) as const
  const settlement = (n: number) => ({ delivered: [], dead: [{ ...rejected(n), message: 'bad' }] })
  const deadLetters = async (n: number) => (await a.breaker.admit(settlement(n), () => false)).dead.length
  await test_.rows(`INSERT INTO outbox.breakers (destination) VALUES ('${DESTINATION}')`)
  for (let n = 1; n < 100; n++) await deadLetters(n)
  const other = await test_.begin()
  await other.query('SELECT 1 FROM outbox.breakers FOR UPDATE') // the write has to wait
  try {
    const last = deadLetters(100)
    await eventually('the stop', () => a.breaker.state === 'rejecting')
    await a.breakers.sync()
    await eventually('the write to be cancelled', async () => {
      const cancelled = await test_.rows(
        `SELECT pg_cancel_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND wait_event_type = 'Lock'`,
      )
      return cancelled.length > 0
    })
    expect(await last).toBe(1)
  } finally {
    await other.query('ROLLBACK')
    other.release()
  }
  expect(errors).toHaveLength(1)
  await a.breakers.sync()
  expect(a.breaker.state).toBe('closed')
  expect(await deadLetters(101)).toBe(0)
  expect(await row()).toMatchObject({ state: 'rejecting' })
  // The stop is written now. So after an operator's resume the window of rejections begins empty.
  await test_.rows(`SELECT outbox.resume('${DESTINATION}')`)
  await a.breakers.sync()
  expect(await deadLetters(102)).toBe(1)
  expect(a.breaker.state).toBe('closed')
})
