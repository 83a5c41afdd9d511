/*
 * Guards the comparison of failures in several lanes.
 * A test fails after each of these changes:
 * - the first test, if a batch's failure counts before canaries are sent (`countsAtOnce` of src/relay/send/attribute.ts
 *   always true): a few culprits open the breaker for all people;
 * - the second, if the relay forgets requests that passed in other lanes (`FailureHistory.hasPassedSince` always false):
 *   no attempt is charged, and the breaker opens again and again;
 * - the third, if every lane sends its own canaries (`FailureHistory.runCanary` not shared): the relay sends more requests
 *   than promised.
 */
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Intent } from '../../src/index.ts'
import { eventually } from '../support/eventually.ts'
import { type Harness, startHarness, stepOf, track } from '../support/relay-harness.ts'

/** An open breaker stays open for longer than the test takes. */
const FIVE_FAILURES = { failures: 5, successes: 3, halfOpenAfterMs: 60_000, maxHalfOpenAfterMs: 60_000 }
const RETRY = { maxRetries: 2, initialDelayMs: 20 }

let h: Harness
beforeEach(async () => {
  h = await startHarness({ sequenceOf: stepOf, latencyMs: 20 })
})
afterEach(() => h.close())

function poison(customerId: string): Intent {
  return { operation: 'track', customerId, name: 'poison', data: { n: 0 } }
}

const BREAKS_ON_POISON = {
  kind: 'serverError' as const,
  match: ({ operations }: { readonly operations: readonly { readonly name?: unknown }[] }) =>
    operations.some((operation) => operation.name === 'poison'),
}

const opened = () => h.db.rows("SELECT 1 FROM outbox.breaker_transitions WHERE to_state = 'open'")
const reasons = async () =>
  (await h.db.rows<{ reason: string }>('SELECT reason FROM outbox.dead_letters')).map(({ reason }) => reason)

/** The ids of `each` people of every lane, one list per lane. */
async function peopleOfEveryLane(each: number): Promise<string[][]> {
  const rows = await h.db.rows<{ people: string[] }>(
    `SELECT (array_agg('p' || n))[1:$1::int] AS people FROM generate_series(1, 1000) n
     GROUP BY outbox.lane_of('default/track', 'p' || n, 'normal')`,
    [each],
  )
  return rows.map(({ people }) => people)
}

test('10: every lane has a culprit at which its batch fails: the breaker stays closed, and all other intents are delivered', async () => {
  h.fake.misbehave(BREAKS_ON_POISON)
  const lanes = await peopleOfEveryLane(20)
  await h.enqueue(
    ...lanes.flatMap(([culprit, ...others]) => [
      poison(culprit as string),
      ...others.map((id) => track(id, 0)),
    ]),
  )
  await h.relay({
    retry: RETRY,
    breaker: FIVE_FAILURES,
    intentRetry: { attempts: 3, initialDelayMs: 100, maxDelayMs: 200 },
  })
  await h.drained(30_000)
  expect(h.fake.counts).toMatchObject({ applied: lanes.length * 19, duplicates: 0, outOfOrder: 0 })
  expect(await reasons()).toEqual(lanes.map(() => 'exhausted'))
  expect(await opened()).toEqual([])
})

test('10: failures of culprits alone in their lanes count as an outage until other intents pass, and then as their own', async () => {
  h.fake.misbehave(BREAKS_ON_POISON)
  const lanes = await peopleOfEveryLane(1)
  await h.enqueue(...lanes.slice(0, 8).flatMap(([culprit]) => poison(culprit as string)))
  await h.relay({
    retry: RETRY,
    breaker: { ...FIVE_FAILURES, halfOpenAfterMs: 200, maxHalfOpenAfterMs: 200 },
    intentRetry: { attempts: 3, initialDelayMs: 100, maxDelayMs: 200 },
  })
  await eventually('an open breaker', async () => (await opened()).length > 0)
  // A little traffic of other people: three successes close the breaker.
  const others = lanes.slice(8).flat()
  for (let n = 0; (await reasons()).length < 8; n++) {
    await h.enqueue(...others.slice(0, 4).map((person) => track(person, n)))
    await h.fake.until(() => h.fake.counts.applied === 4 * (n + 1), { timeoutMs: 20_000 })
    expect(n).toBeLessThan(40)
  }
  expect(await reasons()).toEqual(Array.from({ length: 8 }, () => 'exhausted'))
  await h.drained()
  expect(h.fake.counts).toMatchObject({ duplicates: 0, outOfOrder: 0 })
})

test('10: an outage opens the breaker after one request of each lane and five canaries', async () => {
  h.fake.misbehave({ kind: 'serverError' })
  const lanes = await peopleOfEveryLane(50)
  await h.enqueue(...lanes.flatMap((people) => people.map((person) => track(person, 0))))
  await h.relay({ retry: RETRY, breaker: FIVE_FAILURES, batchSize: 10 })
  await eventually('an open breaker', async () => (await opened()).length > 0)
  await eventually('no lane held', async () => {
    return (await h.db.rows('SELECT 1 FROM outbox.lanes WHERE relay_id IS NOT NULL')).length === 0
  })
  expect(h.fake.counts.requests).toBeGreaterThanOrEqual(6)
  expect(h.fake.counts.requests).toBeLessThanOrEqual(lanes.length + 5)
  expect(await h.db.rows('SELECT 1 FROM outbox.intents WHERE attempts > 0')).toEqual([])
})
