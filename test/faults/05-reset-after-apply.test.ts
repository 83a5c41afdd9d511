/**
 * Shown to fail: with an event id that is made anew for each attempt, the oracle finds what was sent again
 * `applied twice`, and everything `under another id`.
 */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Stage, startStage } from './support/stage.ts'

let s: Stage
beforeEach(async () => {
  s = await startStage()
})
afterEach(() => s.close())

test('5: the server applies the request, then resets the connection: sent again with the same id and body', async () => {
  const writer = s.writer('w')
  const people = Array.from({ length: 20 }, (_, n) => ({ person: `p${n}` }))
  for (let n = 0; n < 20; n++) await writer.transact({ steps: people })
  // Every second request: with a quick retry, and, where that is reset too, with the lane's backoff.
  let requests = 0
  s.fake.misbehave({ kind: 'reset', after: 'apply', times: 12, match: () => ++requests % 2 === 1 })
  await s.relay({ batchSize: 10 })
  await s.drained()
  const verdict = await s.verdict()
  expect(verdict).toMatchObject({ delivered: 400, deadLettered: 0, findings: [] })
  expect(verdict.resent).toBeGreaterThan(0)
  expect(s.fake.counts).toMatchObject({ applied: 400, duplicates: verdict.resent, outOfOrder: 0 })
  expect(s.fake.duplicates.every(({ sameBody }) => sameBody)).toBe(true)
})
