/*
 * Guards the attribution of a failure to one intent.
 * A test fails after each of these changes:
 * - if content is never to blame (`mayBeContent` of src/relay/send/attribute-failure.ts always false), all tests but the
 *   third time out with other people's intents in the queue;
 * - if no canary is sent (`pickCanary` always undefined), the first, second and fourth test time out;
 * - if a failed canary counts as passed (`attribute` of src/relay/send/attribute.ts takes `fail` for `pass`), in the
 *   third test the intents become dead letters, and no lane fails;
 * - if `pickProbe` always picks the lane's first intent instead of a random one, the fourth test times out with the
 *   breaker open;
 * - if no turn ends when a blocked key is due (`BlockedKeys.isDue` always false), the dead letter of the fifth test comes
 *   only when the lane is empty.
 */
import { once } from 'node:events'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Intent } from '../../src/index.ts'
import { eventually } from '../support/eventually.ts'
import {
  email,
  type Harness,
  peopleOfOneLane,
  startHarness,
  stepOf,
  track,
} from '../support/relay-harness.ts'

const ATTEMPTS = { attempts: 3, initialDelayMs: 100, maxDelayMs: 200 }

let h: Harness
beforeEach(async () => {
  h = await startHarness({ sequenceOf: stepOf })
})
afterEach(() => h.close())

function poison(customerId: string, n: number): Intent {
  return { operation: 'track', customerId, name: 'poison', data: { n } }
}

const breaksOn = (name: string) => ({
  kind: 'serverError' as const,
  match: ({ operations }: { readonly operations: readonly { readonly name?: unknown }[] }) =>
    operations.some((operation) => operation.name === name),
})

const deadLetters = () =>
  h.db.rows<{ id: string; reason: string; status: number; message: string; payload: object }>(
    'SELECT id, reason, status, message, payload FROM outbox.dead_letters',
  )

test('10: the API always answers 500 to one intent of a batch: halving finds the intent, it is a dead letter after its attempts, and the rest is delivered', async () => {
  h.fake.misbehave(breaksOn('poison'))
  const people = await peopleOfOneLane(h.db, 'default/track', 50)
  const intents = Array.from({ length: 1_000 }, (_, n) => track(people[n % 50] as string, n))
  intents[617] = poison(people[617 % 50] as string, 617)
  const ids = await h.enqueue(...intents)
  await h.relay({ intentRetry: ATTEMPTS })
  await h.drained(20_000)
  expect(await deadLetters()).toEqual([
    {
      id: ids[617],
      reason: 'exhausted',
      status: 500,
      message: expect.stringMatching(/^failed alone 3 times while others passed: /),
      payload: { name: 'poison', data: { n: 617 }, customerId: people[617 % 50] },
    },
  ])
  expect(h.fake.counts).toMatchObject({ applied: 999, duplicates: 0, outOfOrder: 0 })
  expect(await h.db.rows('SELECT 1 FROM outbox.breaker_transitions')).toEqual([]) // the breaker never opened
})

test('10: an intent that always fails is first in the only lane with work: its key waits between attempts, and other keys go on', async () => {
  h.fake.misbehave(breaksOn('poison'))
  const [victim, ...others] = await peopleOfOneLane(h.db, 'default/track', 20)
  const relay = await h.relay({ intentRetry: { attempts: 50, initialDelayMs: 100, maxDelayMs: 500 } })
  await h.enqueue(
    poison(victim as string, 0),
    ...others.map((person) => track(person, 0)),
    track(victim as string, 1),
  )
  await h.fake.until(() => h.fake.counts.applied === others.length)
  const state = () => h.db.rows<{ attempts: number }>('SELECT attempts FROM outbox.intents ORDER BY seq')
  await eventually('a second attempt', async () => ((await state())[0]?.attempts ?? 0) >= 2)
  // While the failed intent waits, later intents of other people are sent.
  await h.enqueue(...others.map((person) => track(person, 1)))
  await h.fake.until(() => h.fake.counts.applied === 2 * others.length)
  await eventually('only the two intents of its key', async () => (await state()).length === 2)
  h.fake.behave()
  await h.drained()
  expect(h.fake.counts).toMatchObject({ applied: 2 * others.length + 2, duplicates: 0, outOfOrder: 0 })
  expect(await deadLetters()).toEqual([])
  await relay.stop()
})

test('10: an outage of 500s charges no intent, before and after the breaker opens', async () => {
  h.fake.misbehave({ kind: 'serverError' })
  const people = await peopleOfOneLane(h.db, 'default/track', 4)
  await h.enqueue(...people.map((person) => track(person, 0)))
  const breaker = { failures: 8, successes: 1, halfOpenAfterMs: 50, maxHalfOpenAfterMs: 100 }
  const relay = await h.relay({ intentRetry: { ...ATTEMPTS, attempts: 1 }, breaker })
  const opened = () => h.db.rows("SELECT 1 FROM outbox.breaker_transitions WHERE to_state = 'open'")
  const charged = () => h.db.rows('SELECT 1 FROM outbox.intents WHERE attempts > 0 OR retry_at IS NOT NULL')
  await once(relay, 'laneFailed')
  expect([await opened(), await charged(), await deadLetters()]).toEqual([[], [], []])
  await eventually('five failed probes', async () => (await opened()).length >= 6)
  expect([await charged(), await deadLetters()]).toEqual([[], []])
  h.fake.behave()
  await h.drained()
  expect(h.fake.counts).toMatchObject({ applied: 4, duplicates: 0 })
})

test('10: an intent that always fails does not keep the breaker open, because the relay picks its probes at random', async () => {
  h.fake.misbehave({ kind: 'outage' })
  const people = await peopleOfOneLane(h.db, 'default/track', 40)
  await h.enqueue(...people.map((person, n) => (n === 0 ? poison(person, 0) : track(person, 0))))
  await h.relay({ intentRetry: ATTEMPTS })
  const opened = () => h.db.rows("SELECT 1 FROM outbox.breakers WHERE state = 'open'")
  await eventually('an open breaker', async () => (await opened()).length > 0)
  h.fake.behave()
  h.fake.misbehave(breaksOn('poison'))
  await h.drained()
  expect(h.fake.counts).toMatchObject({ applied: 39, duplicates: 0 })
  expect((await deadLetters()).map(({ reason }) => reason)).toEqual(['exhausted'])
})

test('10: in a lane that is never empty, the next attempt of a failed intent comes when it is due', async () => {
  h.fake.misbehave(breaksOn('poison'))
  h.fake.latencyMs = 20
  const [victim, ...others] = await peopleOfOneLane(h.db, 'default/track', 50)
  await h.enqueue(
    poison(victim as string, 0),
    ...Array.from({ length: 2_000 }, (_, n) => track(others[n % 49] as string, n)),
  )
  await h.relay({ batchSize: 10, intentRetry: ATTEMPTS })
  await eventually('a dead letter', async () => (await deadLetters()).length === 1, 20_000)
  expect(h.fake.counts.applied).toBeLessThan(1_500)
  await h.drained(30_000)
  expect(h.fake.counts).toMatchObject({ applied: 2_000, duplicates: 0, outOfOrder: 0 })
})

test('10: a message with onAmbiguous resend that always fails is a dead letter after its attempts, and no other person waits', async () => {
  h.fake.misbehave({
    kind: 'serverError',
    match: ({ operations }) => JSON.stringify(operations).includes('poison@example.com'),
  })
  const people = await peopleOfOneLane(h.db, 'default/app', 20)
  const victim: Intent = {
    operation: 'sendEmail',
    message: {
      to: 'poison@example.com',
      identifiers: { id: people[0] as string },
      transactional_message_id: 1,
      message_data: {},
    },
  }
  await h.enqueueWith({ onAmbiguous: 'resend' }, victim, ...people.slice(1).map((person) => email(person, 0)))
  await h.relay({ intentRetry: ATTEMPTS })
  await h.drained()
  expect(h.fake.counts.sends).toBe(19)
  expect((await deadLetters()).map(({ reason, status }) => ({ reason, status }))).toEqual([
    { reason: 'exhausted', status: 500 },
  ])
})
