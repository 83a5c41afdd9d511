/** The test fails if the dispatcher promotes every due intent before it hands out a lane, for then none is left in lane -1. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { email, type Harness, startHarness, track } from '../support/relay-harness.ts'

let h: Harness
beforeEach(async () => {
  h = await startHarness()
})
afterEach(() => h.close())

test('20,000 scheduled intents fall due at once: other intents are delivered meanwhile', async () => {
  const due = new Date(Date.now() + 3_600_000)
  for (let n = 0; n < 20; n++) {
    await h.enqueueWith({ sendAfter: due }, ...Array.from({ length: 1_000 }, (_, i) => track(`u${i}`, n)))
  }
  const left = async () => {
    const [row] = await h.db.rows<{ count: number }>(
      'SELECT count(*)::int AS count FROM outbox.intents WHERE lane = -1',
    )
    return row?.count ?? 0
  }
  expect(await left()).toBe(20_000)
  await h.db.rows('UPDATE outbox.intents SET send_after = now()') // an hour later
  await h.enqueue(email('live', 1))
  await h.relay({ requestTimeoutMs: 30_000 }) // a request of 1,000 intents that timed out would be sent again
  await h.fake.until(({ counts }) => counts.sends === 1)
  expect(await left()).toBeGreaterThan(0)
  await h.fake.until(({ counts }) => counts.applied === 20_000, { timeoutMs: 60_000 })
  await h.drained()
  expect(h.fake.counts).toMatchObject({ applied: 20_000, duplicates: 0 })
})
