/**
 * The test fails if each request creates a new event id: the oracle finds all resent intents `applied twice`, and all
 * intents `under another id`.
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

test('4: intents of a relay that is killed after a 200 and before settling are sent again with the same id and body', async () => {
  const victim = await s.child()
  const writer = s.writer('w')
  const people = Array.from({ length: 30 }, (_, n) => ({ person: `p${n}` }))
  // Settling writes to this table. The lock makes a relay wait there after its 200.
  const open = await s.lock('outbox.settled_counts')
  for (let n = 0; n < 10; n++) await writer.transact({ steps: people })
  await eventually('a 200 and a settle that waits', async () => {
    const answered = s.fake.requests.byStatus[200] ?? 0
    return answered > 0 && (await settlesThatWait()) > 3
  })
  await victim.kill()
  const killedAt = performance.now()
  // The server goes on with the statements of a killed client. Ending the sessions simulates the loss of the machine.
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
  expect(await s.db.rows('SELECT 1 FROM outbox.relay_fleet')).toHaveLength(2) // the dead relay is still listed
})

async function settlesThatWait(): Promise<number> {
  const rows = await s.db.rows(
    "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name = 'customerio-outbox relay'",
  )
  return rows.length
}
