/**
 * Shown to fail: without `#forget` in horizon.ts, which drops what was known before the restart, the recovered
 * transaction counts as ended: the lane's bound passes its event, and the person's next one is delivered before it.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createOutbox } from '../../src/index.ts'
import { type PostgresServer, startPostgresServer } from '../faults/support/postgres-server.ts'
import { type Harness, peopleOfOneLane, startHarness, stepOf, track } from '../support/relay-harness.ts'

let server: PostgresServer
let h: Harness
beforeAll(async () => {
  server = await startPostgresServer({ settings: ['max_prepared_transactions=5'] })
  h = await startHarness({ sequenceOf: stepOf }, await server.createDatabase())
})
afterAll(async () => {
  await h.close()
  await server.close()
})

/** Longer than the horizon needs to move, and to go past a transaction that stays open. */
const WHILE_MS = 1_500

test('an event of a two-phase commit is delivered, and before what its person does after COMMIT PREPARED', async () => {
  const [late = '', neighbour = ''] = await peopleOfOneLane(h.db, 'default/track', 2)
  await h.relay()
  let others = 0
  /** The lane has work all the while, and every read may raise its bound. */
  const goOn = async () => {
    for (const until = performance.now() + WHILE_MS; performance.now() < until; ) {
      await h.enqueue(track(neighbour, ++others))
      await h.fake.until(({ counts }) => counts.applied === others)
    }
  }
  const tx = await h.db.begin()
  await createOutbox().enqueue(tx, track(late, 1))
  await goOn()
  await tx.query("PREPARE TRANSACTION 'order 42'")
  tx.release()
  await goOn()
  // What recovers it knows only its number: it goes on under another virtual id.
  await server.restart('fast')
  await goOn()
  await h.db.rows("COMMIT PREPARED 'order 42'")
  await h.enqueue(track(late, 2))
  await h.drained()
  const steps = h.fake.applied.filter(({ personKey }) => personKey === `id:${late}`)
  expect(steps.map(({ body }) => stepOf(body as never))).toEqual([1, 2])
  expect(h.fake.counts).toMatchObject({ applied: others + 2, outOfOrder: 0, duplicates: 0 })
})
