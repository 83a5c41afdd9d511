/**
 * The test fails if a worker counts as dead after 600 s without a heartbeat, instead of 10 s: the queue is not empty
 * after the 20 s.
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

test('3: the lanes of a relay that is killed before its HTTP requests are taken over within 20 s', async () => {
  const victim = await s.child()
  // Between claiming a lane and its request, a relay acquires a token of the rate limit. The lock makes it wait there.
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
