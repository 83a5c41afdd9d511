import { afterAll, beforeAll, expect, test } from 'vitest'
import { createOutbox } from '../../src/index.ts'
import { createRelay } from '../../src/relay.ts'
import { cached } from '../../src/observe/cached.ts'
import { createMetrics } from '../../src/observe/metrics.ts'
import { readStatus } from '../../src/observe/views/read-status.ts'
import { namesOf } from '../../src/store/names.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { everyApi, startHarness, track } from '../support/relay-harness.ts'

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
       (date_trunc('minute', now()), 'default/track', 0, 10, 7), (date_trunc('minute', now()), 'default/track', 0, -1, 2),
       (date_trunc('minute', now()), 'default/track', 0, -2, 3), (date_trunc('minute', now()), 'default/track', 0, -3, 4);
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
    throughput: [
      {
        minute: expect.any(Date),
        delivered: 7,
        late: 3,
        suppressed: 4,
        deadLettered: 2,
        p50Ms: expect.any(Number),
      },
    ],
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

test('/metrics counts the late and the suppressed intents of this process', async () => {
  const h = await startHarness()
  try {
    const [late = ''] = await h.enqueue(track('test-1', 1), track('test-2', 1), track('u1', 1))
    await h.db.rows(
      "UPDATE outbox.intents SET enqueued_at = enqueued_at - interval '73 hours' WHERE id = $1",
      [late],
    )
    const relay = createRelay({
      connectionString: h.db.url,
      workspaces: { default: { ...everyApi(h.fake), allowRecipients: ['test-*'] } },
      checkRegion: false,
    })
    const metrics = createMetrics({
      relay,
      readStatus: () => readStatus(h.db.pool, namesOf()),
      destinations: () => relay.destinations,
    })
    await relay.start()
    await h.drained()
    await relay.stop()
    const text = await metrics.render()
    for (const [name, value] of Object.entries({ delivered: 2, late: 1, suppressed: 1, dead_lettered: 0 }))
      expect(text).toContain(`\ncustomerio_outbox_${name}_total{destination="default/track"} ${value}\n`)
  } finally {
    await h.close()
  }
})
