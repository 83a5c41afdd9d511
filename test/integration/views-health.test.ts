import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'

let db: TestDatabase
beforeAll(async () => {
  db = await createTestDatabase()
})
afterAll(() => db.drop())
beforeEach(() =>
  db.rows('TRUNCATE outbox.intents, outbox.relays, outbox.lanes, outbox.breakers, outbox.dead_letters'),
)

async function relay(lastSeen = 'now()', relayId = randomUUID()): Promise<string> {
  await db.rows(
    `INSERT INTO outbox.relays VALUES ($1, 'host-1', 7, '1.2.3', now() - interval '1 hour', ${lastSeen})`,
    [relayId],
  )
  return relayId
}

const intent = (enqueuedAt: string) =>
  db.rows(
    `INSERT INTO outbox.intents (destination, lane, id, operation, payload, ordering_key, enqueued_at)
     VALUES ('default/track', 3, gen_random_uuid(), 'identify', '{}', 'k', ${enqueuedAt})`,
  )

const deadLetter = (reason: string, deadAt: string, operation = 'track') =>
  db.rows(
    `INSERT INTO outbox.dead_letters (id, destination, seq, format, operation, payload, ordering_key, priority,
       on_ambiguous, enqueued_at, dead_at, reason)
     VALUES (gen_random_uuid(), 'default/track', 1, 1, $1, '{}', 'k', 'normal', 'park', now(), ${deadAt}, $2)`,
    [operation, reason],
  )

async function health(): Promise<{ status: string; reasons: string[] }> {
  const rows = await db.rows<{ status: string; reasons: string[] }>(
    'SELECT status, reasons FROM outbox.health',
  )
  expect(rows).toHaveLength(1)
  return rows[0] as { status: string; reasons: string[] }
}

describe('outbox.health', () => {
  test('is ok with a live relay and no problem', async () => {
    await relay()
    await intent('now()')
    await deadLetter('rejected', "now() - interval '61 minutes'")
    await db.rows("INSERT INTO outbox.breakers (destination, failure_count) VALUES ('default/track', 4)")
    expect(await health()).toEqual({ status: 'ok', reasons: [] })
  })

  test('is degraded if no relay runs and no intent is due', async () => {
    expect(await health()).toEqual({ status: 'degraded', reasons: ['no relay is running'] })
  })

  test('is down if intents are due and no relay was seen for 30 s', async () => {
    await relay("now() - interval '31 seconds'")
    await intent('now()')
    const reason = 'no relay is running, and intents are due: start customerio-outbox relay'
    expect(await health()).toEqual({ status: 'down', reasons: [reason] })
    await relay("now() - interval '20 seconds'")
    expect(await health()).toEqual({ status: 'ok', reasons: [] })
  })

  test('is degraded by one late intent, however many lanes are on time', async () => {
    await relay()
    await intent("now() - interval '100 seconds'")
    const { status, reasons } = await health()
    expect(status).toBe('degraded')
    expect(reasons).toEqual([expect.stringMatching(/^default\/track is 1\d\d s behind$/)])
  })

  test.each(['open', 'paused'])('is degraded by a breaker that is %s, with its last error', async (state) => {
    await relay()
    await db.rows(
      `INSERT INTO outbox.breakers (destination, state, opened_at, last_error)
       VALUES ('default/track', $1, '2026-01-02 03:04:05Z', 'HTTP 503')`,
      [state],
    )
    const { status, reasons } = await health()
    expect(status).toBe('degraded')
    expect(reasons).toEqual([expect.stringMatching(`^default/track is ${state} since 2026-.*: HTTP 503$`)])
  })

  test('is degraded by dead letters of the last hour', async () => {
    await relay()
    await deadLetter('rejected', "now() - interval '59 minutes'")
    await deadLetter('expired', 'now()')
    await deadLetter('expired', "now() - interval '2 hours'")
    const reasons = ['default/track has 2 dead letters of the last hour']
    expect(await health()).toEqual({ status: 'degraded', reasons })
  })

  test('names every reason, the worst first', async () => {
    await intent("now() - interval '100 seconds'")
    await deadLetter('rejected', 'now()')
    const { status, reasons } = await health()
    expect(status).toBe('down')
    expect(reasons).toHaveLength(3)
    expect(reasons[0]).toMatch(/^no relay is running, and intents are due/)
  })
})

test('outbox.relay_fleet shows each relay and how many lanes it holds', async () => {
  const [busy, idle] = [await relay(), await relay()]
  await db.rows(
    `INSERT INTO outbox.lanes (destination, lane, relay_id, taken_at)
     VALUES ('default/track', 1, $1, now()), ('default/track', 2, $1, now()), ('default/track', 3, NULL, NULL)`,
    [busy],
  )
  const rows = await db.rows(
    'SELECT relay_id, host, version, started_at < last_seen_at AS started, lanes_held FROM outbox.relay_fleet',
  )
  const shown = { host: 'host-1', version: '1.2.3', started: true }
  expect(rows).toHaveLength(2)
  expect(rows).toEqual(
    expect.arrayContaining([
      { ...shown, relay_id: busy, lanes_held: 2 },
      { ...shown, relay_id: idle, lanes_held: 0 },
    ]),
  )
})

test('outbox.breaker_state shows the state, and the later of retry and rate limit as retry_at', async () => {
  await db.rows(
    `INSERT INTO outbox.breakers (destination, state, failure_count, last_failure_at, last_error, opened_at,
                                  retry_at, rate_limited_until)
     VALUES ('a/track', 'open', 5, '2026-01-01Z', 'HTTP 503', '2026-01-02Z', '2026-01-03Z', '2026-01-04Z'),
            ('b/track', 'closed', 0, NULL, NULL, NULL, NULL, NULL)`,
  )
  expect(await db.rows('SELECT * FROM outbox.breaker_state ORDER BY destination')).toEqual([
    {
      destination: 'a/track',
      state: 'open',
      failure_count: 5,
      last_failure_at: new Date('2026-01-01'),
      last_error: 'HTTP 503',
      opened_at: new Date('2026-01-02'),
      retry_at: new Date('2026-01-04'),
    },
    {
      destination: 'b/track',
      state: 'closed',
      failure_count: 0,
      last_failure_at: null,
      last_error: null,
      opened_at: null,
      retry_at: null,
    },
  ])
})

test('outbox.dead_letter_summary groups by destination, operation and reason', async () => {
  await deadLetter('rejected', "'2026-01-02Z'")
  await deadLetter('rejected', "'2026-01-01Z'")
  await deadLetter('rejected', "'2026-01-03Z'", 'identify')
  await deadLetter('expired', "'2026-01-03Z'")
  const rows = await db.rows('SELECT * FROM outbox.dead_letter_summary ORDER BY operation, reason')
  const row = (operation: string, reason: string, count: string, oldest: string, newest = oldest) => ({
    destination: 'default/track',
    operation,
    reason,
    count,
    oldest: new Date(oldest),
    newest: new Date(newest),
    estimated: false,
  })
  expect(rows).toEqual([
    row('identify', 'rejected', '1', '2026-01-03'),
    row('track', 'expired', '1', '2026-01-03'),
    row('track', 'rejected', '2', '2026-01-01', '2026-01-02'),
  ])
})

test('outbox.health reports due intents in a format that no running relay knows', async () => {
  await relay()
  await intent('now()')
  await db.rows('UPDATE outbox.intents SET format = 2')
  expect(await db.rows('SELECT lane, format FROM outbox.lane_heads')).toEqual([{ lane: 3, format: 2 }])
  expect(await health()).toEqual({
    status: 'degraded',
    reasons: ['default/track has intents of row format 2 that no running relay knows: upgrade the relays'],
  })
  await relay()
  await db.rows(
    'UPDATE outbox.relays SET format = 2 WHERE relay_id = (SELECT max(relay_id::text)::uuid FROM outbox.relays)',
  )
  expect(await health()).toEqual({ status: 'ok', reasons: [] })
})

test('each row of outbox.dead_letter_summary is exact up to 10,000 dead letters, and an estimate above', async () => {
  const add = (count: number) =>
    db.rows(
      `INSERT INTO outbox.dead_letters (id, destination, seq, format, operation, payload, ordering_key, priority,
         on_ambiguous, enqueued_at, dead_at, reason)
       SELECT gen_random_uuid(), 'default/track', n, 1, 'track', '{}', 'k', 'normal', 'park', now(), now(), 'rejected'
       FROM generate_series(1, $1::int) n`,
      [count],
    )
  const summary = () => db.rows('SELECT count::int, estimated FROM outbox.dead_letter_summary')
  await add(10_000)
  expect(await summary()).toEqual([{ count: 10_000, estimated: false }])
  await add(20_000)
  await db.rows('ANALYZE outbox.dead_letters')
  const [row] = await summary()
  expect(row).toMatchObject({ estimated: true })
  expect(row?.count).toBeGreaterThan(25_000)
  expect(row?.count).toBeLessThan(35_000)
})
