/** The test fails if the relay's pool has three times `connections`: the relay has 20 sessions. */
import pg from 'pg'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { type Stage, startStage } from './support/stage.ts'

/** Most sessions of a relay (see `RelayOptions.connections`): its own pool, one for LISTEN, and two of pg-boss. */
const CONNECTIONS = 6 + 1 + 2

let s: Stage
beforeEach(async () => {
  s = await startStage()
})
afterEach(() => s.close())

test('30: the app\u2019s pool is exhausted: the relay has its own, with no more connections than configured', async () => {
  await s.child()
  const most = watchConnections()
  const app = new pg.Pool({ connectionString: s.db.url, max: 5 })
  // Every connection of the app is in a long transaction that has written to the outbox, and the app's next request waits.
  const busy = await Promise.all(
    Array.from({ length: 5 }, async (_, n) => {
      const client = await app.connect()
      client.on('error', () => {}) // the next statement reports the error
      await client.query('BEGIN')
      await s.outbox.enqueue(client, { operation: 'track', customerId: `busy${n}`, name: 'step' })
      return client
    }),
  )
  const next = app.connect()
  await eventually('a request that finds no connection', () => app.waitingCount === 1)

  // Another instance of the app goes on: every lane has work, and all of it is delivered.
  const writer = s.writer('w')
  const people = Array.from({ length: 100 }, (_, n) => ({ person: `p${n}` }))
  s.fake.latencyMs = 20
  for (let n = 0; n < 50; n++) await writer.transact({ steps: people })
  await s.fake.until(({ counts }) => counts.applied === 5_000, { timeoutMs: 20_000 })
  expect(app.waitingCount).toBe(1)
  expect(await s.verdict()).toMatchObject({ delivered: 5_000, resent: 0, findings: [] })
  expect(await most()).toBeLessThanOrEqual(CONNECTIONS)

  for (const client of busy) {
    await client.query('COMMIT')
    client.release()
  }
  ;(await next).release()
  await app.end()
  await s.fake.until(({ counts }) => counts.applied === 5_005)
})

/** Watches the relay's sessions. The returned function ends the watch and returns the highest number at one time. */
function watchConnections(): () => Promise<number> {
  let most = 0
  let watching = true
  const done = eventually('the end of the drain', async () => {
    const [row] = await s.db.rows<{ sessions: number }>(
      `SELECT count(*)::int AS sessions FROM pg_stat_activity
       WHERE datname = current_database() AND application_name LIKE 'customerio-outbox%'`,
    )
    most = Math.max(most, row?.sessions ?? 0)
    return !watching
  })
  return async () => {
    watching = false
    await done
    return most
  }
}
