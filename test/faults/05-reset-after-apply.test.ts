/**
 * The test fails if each request creates a new event id: the oracle finds the resent intents `applied twice`, and all
 * intents `under another id`.
 */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Stage, startStage } from './support/stage.ts'

let s: Stage
beforeEach(async () => {
  s = await startStage()
})
afterEach(() => s.close())

test('5: a request that is applied before the connection is reset is sent again with the same id and body', async () => {
  const writer = s.writer('w')
  const people = Array.from({ length: 20 }, (_, n) => ({ person: `p${n}` }))
  for (let n = 0; n < 20; n++) await writer.transact({ steps: people })
  // Every second request is reset. A reset is retried at once; if the retry is reset too, the lane's backoff follows.
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
