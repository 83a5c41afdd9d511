/**
 * The test fails without the reset after a restart in write-horizon.ts (`#forget`). Then the recovered transaction counts as
 * ended, the lane's watermark passes its event, and the person's next event is delivered first.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createOutbox } from '../../src/index.ts'
import { type PostgresServer, startPostgresServer } from '../faults/support/servers/postgres-server.ts'
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

/** Milliseconds. More than the 1,000 after which the provisional watermark passes an open transaction. */
const WHILE_MS = 1_500

test('an event of a two-phase commit is delivered before later events of the person', async () => {
  const [late = '', neighbour = ''] = await peopleOfOneLane(h.db, 'default/track', 2)
  await h.relay()
  let others = 0
  /** Keeps the lane busy. Every read may raise its watermark. */
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
  // Recovery knows only the transaction's xid, and gives it another virtual id.
  await server.restart('fast')
  await goOn()
  await h.db.rows("COMMIT PREPARED 'order 42'")
  await h.enqueue(track(late, 2))
  await h.drained()
  const steps = h.fake.applied.filter(({ personKey }) => personKey === `id:${late}`)
  expect(steps.map(({ body }) => stepOf(body as never))).toEqual([1, 2])
  expect(h.fake.counts).toMatchObject({ applied: others + 2, outOfOrder: 0, duplicates: 0 })
})
