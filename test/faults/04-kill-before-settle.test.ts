/**
 * Shown to fail: with an event id that is made anew for each attempt, the oracle finds all that was sent
 * twice `applied twice`, and everything `under another id`.
 */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { type Stage, startStage } from './support/stage.ts'
import { TAKEOVER_MS } from './support/takeover.ts'

let s: Stage
beforeEach(async () => {
  s = await startStage()
})
afterEach(() => s.close())

test('4: kill -9 after Customer.io\u2019s 200, before settling: sent again with the same id and body', async () => {
  const victim = await s.child()
  const writer = s.writer('w')
  const people = Array.from({ length: 30 }, (_, n) => ({ person: `p${n}` }))
  // Settling writes here: a relay that has its 200 waits with the statement that would say so.
  const open = await s.lock('outbox.settled_counts')
  for (let n = 0; n < 10; n++) await writer.transact({ steps: people })
  await eventually('a 200 and a settle that waits', async () => {
    const answered = s.fake.requests.byStatus[200] ?? 0
    return answered > 0 && (await settlesThatWait()) > 3
  })
  await victim.kill()
  const killedAt = performance.now()
  // A statement outlives its client where nobody ends it: on a machine that died nobody had sent it at all.
  await s.endSessions('true')
  await open()
  const before = s.fake.counts.applied
  expect(before).toBeGreaterThan(0)
  expect(await s.db.rows('SELECT 1 FROM outbox.intents')).toHaveLength(300)
  await s.child()
  await s.drained(TAKEOVER_MS)
  expect(performance.now() - killedAt).toBeLessThan(TAKEOVER_MS)
  expect(await s.verdict()).toMatchObject({ delivered: 300, resent: before, findings: [] })
  expect(s.fake.counts).toMatchObject({ applied: 300, outOfOrder: 0 })
  expect(s.fake.duplicates.every(({ sameBody }) => sameBody)).toBe(true)
  expect(await s.db.rows('SELECT 1 FROM outbox.relay_fleet')).toHaveLength(2) // the dead one is remembered
})

async function settlesThatWait(): Promise<number> {
  const rows = await s.db.rows(
    "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name = 'customerio-outbox relay'",
  )
  return rows.length
}
