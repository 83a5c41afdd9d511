import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'

let db: TestDatabase
beforeAll(async () => {
  db = await createTestDatabase()
})
afterAll(() => db.drop())
beforeEach(() => db.rows('TRUNCATE outbox.intents'))

/** Stores `count` intents. The times are SQL expressions. */
async function arrange(
  destination: string,
  lane: number,
  times: { enqueuedAt?: string; sendAfter?: string },
  count = 1,
): Promise<void> {
  await db.rows(
    `INSERT INTO outbox.intents (destination, lane, id, operation, payload, ordering_key, enqueued_at, send_after)
     SELECT '${destination}', ${lane}, gen_random_uuid(), 'identify', '{}', 'k', ${times.enqueuedAt ?? 'now()'},
            ${times.sendAfter ?? 'NULL'} FROM generate_series(1, ${count})`,
  )
}

const backlog = () =>
  db.rows<Record<string, unknown> & { lag_seconds: number }>(
    `SELECT destination, pending::int, scheduled::int, oldest_pending_at, lag_seconds, estimated
     FROM outbox.backlog ORDER BY destination`,
  )

describe('outbox.backlog', () => {
  test('has no row for an empty queue', async () => {
    expect(await backlog()).toEqual([])
  })

  test('counts due and scheduled intents by destination, with the oldest due time', async () => {
    await arrange('default/track', 0, { enqueuedAt: "now() - interval '10 seconds'" }, 3)
    await arrange('default/track', 5, { enqueuedAt: "now() - interval '90 seconds'" }, 2)
    await arrange('default/track', 31, {}, 1)
    await arrange(
      'default/track',
      -1,
      { enqueuedAt: "'2000-01-01'", sendAfter: "now() + interval '1 day'" },
      4,
    )
    await arrange('eu/track', 2, {}, 1)
    const [first, second, ...others] = await backlog()
    expect(others).toEqual([])
    expect(first).toMatchObject({ destination: 'default/track', pending: 6, scheduled: 4, estimated: false })
    expect(first?.lag_seconds).toBeGreaterThanOrEqual(90)
    expect(first?.lag_seconds).toBeLessThan(150)
    const [oldest] = await db.rows('SELECT min(enqueued_at) AS at FROM outbox.intents WHERE lane = 5')
    expect(first?.oldest_pending_at).toEqual(oldest?.at)
    expect(second).toMatchObject({ destination: 'eu/track', pending: 1, scheduled: 0 })
  })

  test('shows a destination with only scheduled intents, without lag', async () => {
    await arrange(
      'default/track',
      -1,
      { enqueuedAt: "'2000-01-01'", sendAfter: "now() + interval '1 day'" },
      2,
    )
    expect(await backlog()).toEqual([
      {
        destination: 'default/track',
        pending: 0,
        scheduled: 2,
        oldest_pending_at: null,
        lag_seconds: 0,
        estimated: false,
      },
    ])
  })

  test('measures the lag of a scheduled intent from its due time', async () => {
    await arrange('default/track', 0, {
      enqueuedAt: "now() - interval '1 day'",
      sendAfter: "now() - interval '20 seconds'",
    })
    const [row] = await backlog()
    expect(row?.lag_seconds).toBeGreaterThanOrEqual(20)
    expect(row?.lag_seconds).toBeLessThan(80)
  })

  test('measures the lag of an intent with a past send_after from its enqueue', async () => {
    await arrange('default/track', 0, { sendAfter: "'2000-01-01'" })
    const [row] = await backlog()
    expect(row?.lag_seconds).toBeLessThan(60)
  })

  test('counts up to 100,000 intents exactly, and estimates a higher number', async () => {
    await arrange('default/track', 0, {}, 60_000)
    await arrange('default/track', 1, {}, 40_000)
    expect(await backlog()).toMatchObject([{ pending: 100_000, estimated: false }])
    await arrange('default/track', 2, {}, 80_000)
    await arrange('other/track', 2, {}, 20_000)
    await db.rows('ANALYZE outbox.intents')
    const [first, second] = await backlog()
    expect(first).toMatchObject({ destination: 'default/track', estimated: true })
    expect(Number(first?.pending)).toBeGreaterThan(160_000)
    expect(Number(first?.pending)).toBeLessThan(200_000)
    expect(second).toMatchObject({ destination: 'other/track', pending: 20_000, estimated: false })
  })
})
