import { afterEach, beforeEach, expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { email, type Harness, peopleOfOneLane, startHarness, track } from '../support/relay-harness.ts'
import { accountFor, breakerState, transitions } from './support/account.ts'

/*
 * Guards that an outage charges no further attempt to an intent that was charged before.
 * A test fails after each of these changes:
 * - if a charged intent is charged again although no other request has passed (`FailureHistory.hasPassedFor` true for
 *   every charged intent): dead letters of reason `exhausted`;
 * - if charged intents are never probes (`pickProbe` without its last choice): no probe is sent.
 */

/**
 * The breaker opens after two failures. With more, the test would wait for further turns: a lane that failed waits for a second
 * or longer before its next turn.
 */
const BREAKER = { failures: 2, successes: 3, halfOpenAfterMs: 200, maxHalfOpenAfterMs: 400 }
/** The second and last attempt comes more than `LATELY_MS` after the first, so no request counts as passed lately then. */
const ATTEMPTS = { attempts: 2, initialDelayMs: 2_200, maxDelayMs: 2_200 }

let h: Harness
beforeEach(async () => {
  h = await startHarness()
})
afterEach(() => h.close())

const APIS = [
  ['events', 'default/track', track],
  ['messages', 'default/app', email],
] as const

/** The number of probes that have failed. Throws if an intent has become a dead letter. */
async function failedProbes(destination: string, ids: readonly string[]): Promise<number> {
  expect(await accountFor(h, ids)).toMatchObject({ dead: 0 })
  return (await transitions(h, destination)).filter((change) => change === 'half_open>open').length
}

test.each(APIS)(
  '15: only %s that failed alone before remain, and the service is down: none is charged again, and the breaker opens until the recovery',
  async (_, destination, intentOf) => {
    const recover = h.fake.misbehave({ kind: 'serverError', status: 503 })
    const people = await peopleOfOneLane(h.db, destination, 4)
    const ids = await h.enqueue(...people.map((person) => intentOf(person, 0)))
    await h.db.rows('UPDATE outbox.intents SET attempts = 7')
    await h.relay({ breaker: BREAKER })
    await eventually('failed probes', async () => (await failedProbes(destination, ids)) >= 2, 20_000)
    expect(await accountFor(h, ids)).toEqual({ delivered: 0, dead: 0, pending: 4, attempts: 28 })
    recover()
    await h.drained(20_000)
    expect(await accountFor(h, ids)).toMatchObject({ delivered: 4, dead: 0 })
    expect(await breakerState(h, destination)).toMatchObject({ state: 'closed' })
  },
)

test.each(APIS)(
  '15: one of the %s failed while the others passed, and then an outage begins: no further attempt is charged',
  async (_, destination, intentOf) => {
    const [victim = '', ...people] = await peopleOfOneLane(h.db, destination, 4)
    h.fake.misbehave({
      kind: 'serverError',
      status: 503,
      match: ({ operations }) => JSON.stringify(operations).includes('777'),
    })
    const ids = await h.enqueue(intentOf(victim, 777), ...people.map((person) => intentOf(person, 0)))
    await h.relay({ intentRetry: ATTEMPTS, breaker: BREAKER })
    const isCharged = async () => (await accountFor(h, ids)).attempts === 1
    await eventually(
      'others to have passed',
      async () => (await isCharged()) && h.fake.counts.applied + h.fake.counts.sends >= 3,
    )
    h.fake.behave()
    const recover = h.fake.misbehave({ kind: 'serverError', status: 503 })
    await eventually('a failed probe', async () => (await failedProbes(destination, ids)) >= 1, 20_000)
    expect(await accountFor(h, ids)).toEqual({ delivered: 3, dead: 0, pending: 1, attempts: 1 })
    recover()
    await h.drained(20_000)
    expect(await accountFor(h, ids)).toMatchObject({ delivered: 4, dead: 0 })
  },
)
