/**
 * A test fails after each of these changes:
 * - without `replaced` in settle.ts, every settle of the lane fails with 23505, and the person's next event is never
 *   delivered;
 * - without `DISTINCT ON` in settle.ts, the settle of both rows fails with 21000.
 */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Harness, startHarness, track } from '../support/relay-harness.ts'

let h: Harness
beforeEach(async () => {
  h = await startHarness()
})
afterEach(() => h.close())

test('52: a dead letter that is put back with its own id and refused again does not block its lane', async () => {
  h.fake.misbehave({ kind: 'refuse', operation: ({ attributes }) => attributes?.n === 1 })
  await h.relay()
  const [id] = await h.enqueue(track('u1', 1))
  await h.drained()
  const putBack = () =>
    h.db.rows(
      `INSERT INTO outbox.intents (destination, lane, id, operation, payload, ordering_key, enqueued_at)
     SELECT destination, outbox.lane_of(destination, ordering_key, priority), id, operation, payload, ordering_key,
            clock_timestamp()
     FROM outbox.dead_letters`,
    )
  const tx = await h.db.begin() // so that the relay finds both rows at once
  await tx.query('LOCK TABLE outbox.lanes')
  await putBack()
  await putBack()
  await tx.query('COMMIT')
  tx.release()
  const [before] = await h.db.rows<{ dead_at: Date }>('SELECT dead_at FROM outbox.dead_letters')
  await h.enqueue(track('u1', 2))
  await h.drained()
  const dead = await h.db.rows<{ id: string; reason: string; dead_at: Date }>(
    'SELECT id, reason, dead_at FROM outbox.dead_letters',
  )
  expect(dead).toEqual([{ id, reason: 'rejected', dead_at: expect.any(Date) }])
  expect(Number(dead[0]?.dead_at)).toBeGreaterThan(Number(before?.dead_at))
  expect(h.fake.counts.applied).toBe(1)
})
