/**
 * The test fails if `wake_relays` notifies in every transaction (0002_enqueue.sql without its CASE): the rate is 0.2 to
 * 0.4 of the rate without notifications. The test measures that rate, too, to show that it is below the bound.
 */
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { TestDatabase } from '../support/database.ts'
import { type Harness, startHarness } from '../support/relay-harness.ts'
import { median } from './support/median.ts'
import { type PostgresServer, startPostgresServer } from './support/servers/postgres-server.ts'

const WRITERS = 8
const ROUND_MS = 500
/** The first commits of each round wake the relay. They are not counted. */
const WAKING_MS = 250
const ROUNDS = 5

/** Bodies of `wake_relays` to compare with: no notification, and one in every transaction. */
const WAKE_UPS = {
  none: `SELECT false`,
  always: `SELECT pg_notify('outbox:wake', '') IS NOT NULL`,
} as const

let server: PostgresServer
let db: TestDatabase
let h: Harness
let writers: pg.Client[]
beforeAll(async () => {
  // Each flush takes a millisecond and serves all commits that wait for it, as on a disk, but equally on every machine.
  server = await startPostgresServer({ settings: ['fsync=on', 'commit_delay=1000', 'commit_siblings=0'] })
  db = await server.createDatabase()
  h = await startHarness({}, db)
  writers = await Promise.all(
    Array.from({ length: WRITERS }, async () => {
      const client = new pg.Client({ connectionString: db.url })
      await client.connect()
      return client
    }),
  )
})
afterAll(async () => {
  await Promise.all(writers.map((writer) => writer.end()))
  await h.close()
  await server.close()
})

test('26: the commit rate of many concurrent writers is at least 80 % of the rate without notifications', async () => {
  const [found] = await db.rows<{ source: string }>(
    "SELECT pg_get_functiondef('outbox.wake_relays(text, integer)'::regprocedure) AS source",
  )
  const ours = found?.source ?? ''
  const instead = (body: string) =>
    `CREATE OR REPLACE FUNCTION outbox.wake_relays(destination text, lane integer) RETURNS boolean LANGUAGE sql AS $$ ${body} $$`
  h.fake.latencyMs = 50
  await h.relayProcess()
  await commitsPerSecond(ours) // warms plans, caches and pages
  const rounds: { ours: number; always: number }[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const before = await commitsPerSecond(instead(WAKE_UPS.none))
    const rates = {
      ours: await commitsPerSecond(ours),
      always: await commitsPerSecond(instead(WAKE_UPS.always)),
    }
    const none = (before + (await commitsPerSecond(instead(WAKE_UPS.none)))) / 2
    rounds.push({ ours: rates.ours / none, always: rates.always / none })
  }
  expect(median(rounds.map((round) => round.ours))).toBeGreaterThan(0.8)
  // With a notification in every transaction the rate is below the bound, so the bound can detect them.
  expect(median(rounds.map((round) => round.always))).toBeLessThan(0.8)
})

async function commitsPerSecond(wakeUp: string): Promise<number> {
  await h.drained() // each round begins with an idle relay
  await db.rows(wakeUp)
  const countFrom = performance.now() + WAKING_MS
  const counts = await Promise.all(
    writers.map(async (writer, n) => {
      let commits = 0
      for (let at = 0; performance.now() < countFrom + ROUND_MS; at++) {
        await writer.query(`SELECT outbox.enqueue('track', $1)`, [
          JSON.stringify({ customerId: `u${n}-${at % 50}`, name: 'x', data: {} }),
        ])
        if (performance.now() > countFrom) commits++
      }
      return commits
    }),
  )
  return counts.reduce((sum, count) => sum + count, 0) / ((performance.now() - countFrom) / 1_000)
}
