/**
 * Shown to fail: with a heartbeat of 600 s in place of 10 s on the lane jobs, the queue is not empty after
 * the 20 s.
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

test('3: kill -9 after a lane is taken, before HTTP: another relay takes the lane within 20 s', async () => {
  const victim = await s.child()
  // Between taking a lane and its request a relay asks for leave under the rate limit: here it waits.
  const open = await s.lock('outbox.rate_limits')
  const people = Array.from({ length: 12 }, (_, n) => ({ person: `p${n}` }))
  const writer = s.writer('w')
  for (let n = 0; n < 10; n++) await writer.transact({ steps: people })
  await eventually('its lanes to be taken', async () => (await lanesOf(victim.relayId)) > 3)
  const other = await s.child()
  await victim.kill()
  const killedAt = performance.now()
  expect(s.fake.requests.total).toBe(0)
  await s.endSessions("wait_event_type = 'Lock'")
  await open()
  await s.drained(TAKEOVER_MS)
  expect(performance.now() - killedAt).toBeLessThan(TAKEOVER_MS)
  expect(await s.verdict()).toMatchObject({ delivered: 120, resent: 0, findings: [] })
  const takers = await s.db.rows('SELECT DISTINCT relay_id FROM outbox.lanes WHERE relay_id IS NOT NULL')
  expect(takers.filter(({ relay_id }) => relay_id !== other.relayId)).toEqual([])
})

async function lanesOf(relayId: string): Promise<number> {
  const rows = await s.db.rows('SELECT 1 FROM outbox.lanes WHERE relay_id = $1', [relayId])
  return rows.length
}
