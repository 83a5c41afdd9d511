import { afterAll, beforeAll, expect, test } from 'vitest'
import { createOutbox } from '../../src/index.ts'
import { cached } from '../../src/observe/cached.ts'
import { readStatus } from '../../src/observe/views/read-status.ts'
import { namesOf } from '../../src/store/names.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'

let db: TestDatabase
beforeAll(async () => {
  db = await createTestDatabase()
})
afterAll(() => db.drop())

test('readStatus reads every view into numbers, dates and ages by the database clock', async () => {
  const outbox = createOutbox()
  await db.transaction(async (tx) => {
    await outbox.enqueue(tx, { operation: 'identify', customerId: 'u1' })
    await outbox.enqueue(
      tx,
      { operation: 'identify', customerId: 'u2' },
      { sendAfter: new Date(Date.now() + 60_000) },
    )
  })
  await db.pool.query(
    `UPDATE outbox.intents SET enqueued_at = now() - interval '90 s' WHERE lane >= 0;
     INSERT INTO outbox.relays VALUES
       (gen_random_uuid(), 'here', 1, '1.0.0', now() - interval '1 h', now() - interval '2 s'),
       (gen_random_uuid(), 'gone', 1, '1.0.0', now(), now() - interval '40 s');
     INSERT INTO outbox.settled_counts VALUES
       (date_trunc('minute', now()), 'default/track', 0, 10, 7), (date_trunc('minute', now()), 'default/track', 0, -1, 2);
     INSERT INTO outbox.dead_letters
       SELECT gen_random_uuid(), 'default/track', n, 1, 'track', NULL, '{}', 'u1', 'normal', 'park', now(), NULL, now(), 'rejected'
       FROM generate_series(1, 3) n`,
  )
  const status = await readStatus(db.pool, namesOf())
  expect(status).toMatchObject({
    at: expect.any(Date),
    health: {
      status: 'degraded',
      reasons: expect.arrayContaining([expect.stringContaining('dead letters')]),
    },
    backlog: [
      {
        destination: 'default/track',
        pending: 1,
        scheduled: 1,
        estimated: false,
        oldestPendingAt: expect.any(Date),
      },
    ],
    breakers: [],
    relays: [
      { host: 'here', lanesHeld: 0, alive: true, startedAt: expect.any(Date) },
      { host: 'gone', alive: false },
    ],
    deadLetters: [{ operation: 'track', reason: 'rejected', count: 3, newest: expect.any(Date) }],
    throughput: [{ minute: expect.any(Date), delivered: 7, deadLettered: 2, p50Ms: expect.any(Number) }],
  })
  expect(status.backlog[0]?.lagSeconds).toBeGreaterThanOrEqual(90)
  expect(status.relays[1]?.silentSeconds).toBeGreaterThanOrEqual(40)
})

test('concurrent callers share one read of the views, and its failure', async () => {
  let loads = 0
  const gate = Promise.withResolvers<number>()
  const read = cached(() => {
    loads++
    return gate.promise
  }, 60_000)
  const answers = [read(), read(), read()]
  gate.resolve(7)
  expect(await Promise.all(answers)).toEqual([7, 7, 7])
  expect(await read()).toBe(7)
  expect(loads).toBe(1)
  let failures = 0
  const failing = cached(() => Promise.reject(new Error(`no ${++failures}`)), 60_000)
  await expect(failing()).rejects.toThrow('no 1')
  await expect(failing()).rejects.toThrow('no 1')
})
