/*
 * Guards the keys that wait behind a failed intent. The test fails if `BlockedKeys` (src/relay/turn/blocked-keys.ts)
 * keeps no key: the lane goes on with later intents of the failed intent's person, and is so busy with them that the
 * intents of the neighbour, another person of the lane, are not all delivered.
 */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { peopleOfOneLane } from '../support/relay-harness.ts'
import { lanesOf } from './support/lane-watch.ts'
import { type Stage, startStage } from './support/stage.ts'

let s: Stage
beforeEach(async () => {
  s = await startStage()
})
afterEach(() => s.close())

test('9: if the first intent of a key gets 503s, later intents of the key wait, and other keys and lanes go on', async () => {
  const [first = '', neighbour = ''] = await peopleOfOneLane(s.db, 'default/track', 2)
  const candidates = Array.from({ length: 20 }, (_, n) => `other${n}`)
  const laneOf = await lanesOf(s.db, [first, ...candidates])
  const others = candidates.filter((person) => laneOf(person) !== laneOf(first))
  s.fake.misbehave({
    kind: 'serverError',
    status: 503,
    match: ({ operations }) => operations.some(({ attributes }) => attributes?.ref === 'w-1'),
  })
  // The breaker must not open: this test is about the lane, and the breaker has tests of its own.
  const breaker = { failures: 1_000, successes: 1, halfOpenAfterMs: 1_000, maxHalfOpenAfterMs: 1_000 }
  await s.relay({ batchSize: 2, breaker, retry: { maxRetries: 1, initialDelayMs: 5 } })
  const writer = s.writer('w')
  for (let n = 0; n < 6; n++) await writer.transact({ steps: [{ person: first }, { person: neighbour }] })
  for (let n = 0; n < 5; n++) await writer.transact({ steps: others.map((person) => ({ person })) })

  const deliveredTo = (id: string) => s.fake.person({ id })?.operationCount ?? 0
  await s.fake.until(() => others.every((person) => deliveredTo(person) === 5))
  await s.fake.until(() => deliveredTo(neighbour) === 6)
  await s.fake.until(({ requests }) => (requests.byStatus[503] ?? 0) >= 2)
  expect(deliveredTo(first)).toBe(0)

  s.fake.behave()
  await s.drained()
  const { findings, ...counts } = await s.verdict()
  expect(findings).toEqual([])
  expect(counts).toMatchObject({ delivered: 12 + 5 * others.length, deadLettered: 0, resent: 0 })
})
