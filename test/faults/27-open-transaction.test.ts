/**
 * The test fails without the watermark of a lane's reader (`#raiseWatermark` in lane-reader.ts does nothing): the rate
 * falls to 0.47 of the rate without the transaction. With the watermark, the ratio is 0.98 to 1.02.
 */
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { type Harness, startHarness } from '../support/relay-harness.ts'
import { median } from './support/median.ts'

/** Intents per round, all of one person and so of one lane: the dead rows of settled intents precede the next ones. */
const INTENTS = 6_000
/** Dead rows of settled intents that no vacuum can remove while the transaction is open. */
const SETTLED = 200_000
const ROUNDS = 3

let h: Harness
beforeAll(async () => {
  h = await startHarness({ keepRequests: 10 })
})
afterAll(() => h.close())

test('27: the drain rate during a transaction that stays open is at least 80 % of the rate without it', async () => {
  await h.relayProcess({ batchSize: 100 })
  await drainMs() // warm-up of plans, caches and files
  const ratios: number[] = []
  let before = await drainMs()
  for (let round = 0; round < ROUNDS; round++) {
    const transaction = await openTransaction()
    await leaveBehind()
    const open = await drainMs()
    await transaction.end()
    const after = await drainMs()
    ratios.push((before + after) / 2 / open)
    before = after
  }
  expect(median(ratios)).toBeGreaterThan(0.8)
})

/** Like a long report or a hung app: the transaction has written, and its snapshot is older than all later commits. */
async function openTransaction(): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: h.db.url })
  await client.connect()
  await client.query('CREATE TABLE IF NOT EXISTS report (at timestamptz)')
  await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ')
  await client.query('INSERT INTO report SELECT now() FROM outbox.health')
  return client
}

const INSERT = `INSERT INTO outbox.intents (destination, lane, id, operation, payload, ordering_key, enqueued_at)
  SELECT 'default/track', 3, gen_random_uuid(), 'track', '{"customerId": "u1", "name": "x"}', 'u1', now()
  FROM generate_series(1, $1::int)`

/** Creates the dead rows of a long run at once: inserts and deletes them in one transaction, which no relay sees. */
async function leaveBehind(): Promise<void> {
  await h.db.transaction(async (tx) => {
    await tx.query(INSERT, [SETTLED])
    await tx.query('DELETE FROM outbox.intents')
  })
}

/** Time from the first to the last request of a backlog. The random wait for the poll, up to 1 s, is not included. */
async function drainMs(): Promise<number> {
  await h.db.rows('VACUUM (TRUNCATE false) outbox.intents') // without effect while a transaction is open
  const from = h.fake.counts.applied
  const until = from + INTENTS
  await h.db.rows(INSERT, [INTENTS])
  await eventually('the first request', () => h.fake.counts.applied > from)
  const began = performance.now()
  await eventually('the backlog to be gone', () => h.fake.counts.applied >= until)
  const took = performance.now() - began
  await h.drained()
  return took
}
