import { afterEach, beforeEach, expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { type Harness, startHarness, stepOf, track } from '../support/relay-harness.ts'
import { accountFor, breakerState, findings } from './support/account.ts'

/*
 * Guards the cooldown in `outbox.breakers`.
 * A test fails after each of these changes:
 * - if the cooldown is not written (`BreakerStore.rateLimit` without its statement), the view never shows a wait;
 * - if the cooldown is not read (`rate_limited_until` read as null), the second relay sends 0.8 s to 1.9 s too early;
 * - if `Retry-After` is not read, the wait is 1 s, not 2 s;
 * - if a 429 counts as a failure of the destination, there are 17 transitions, not 0.
 */

let h: Harness
beforeEach(async () => {
  h = await startHarness({ sequenceOf: stepOf })
})
afterEach(() => h.close())

/** `Retry-After` in each format. Dates have whole seconds: this one is at least 1.9 s ahead. */
function retryAfter(form: string): number | string | undefined {
  if (form === 'as an HTTP date') return new Date(Date.now() + 2_900).toUTCString()
  return form === 'in seconds' ? 2 : undefined
}

test.each([
  ['with Retry-After', 'in seconds', 2_000],
  ['with Retry-After', 'as an HTTP date', 1_900],
  ['without Retry-After', 'which means one second', 1_000],
])(
  '14: after a 429 %s, %s, the whole fleet waits, no attempt is charged, and the breaker does not count it',
  async (_, form, ms) => {
    const first = await h.relay()
    const asked = retryAfter(form)
    h.fake.misbehave({ kind: 'rateLimit', times: 1, ...(asked === undefined ? {} : { retryAfter: asked }) })
    const ids = await h.enqueue(track('u1', 1), track('u1', 2))
    const held = await eventually('the hold', async () => (await breakerState(h))?.retry_at ?? undefined)
    const [limited] = h.fake.requests.recent
    expect(held.getTime()).toBeGreaterThanOrEqual(
      (limited?.receivedAt ?? 0) + (typeof asked === 'string' ? 0 : ms),
    )
    if (typeof asked === 'string') expect(held.getTime()).toBeGreaterThanOrEqual(Date.parse(asked))

    // The relay that got the 429 has stopped. Another one keeps the wait, for people of every lane.
    await first.stop()
    await h.relay()
    ids.push(...(await h.enqueue(...Array.from({ length: 50 }, (_, n) => track(`v${n}`, n)))))
    await h.relay()
    expect(await breakerState(h)).toMatchObject({ state: 'closed', failure_count: 0 })
    await h.drained()
    const [, ...others] = h.fake.requests.recent
    expect(Math.min(...others.map(({ receivedAt }) => receivedAt))).toBeGreaterThanOrEqual(held.getTime())
    expect(await accountFor(h, ids)).toEqual({ delivered: 52, dead: 0, pending: 0, attempts: 0 })
    expect(h.fake.counts).toMatchObject({ applied: 52, duplicates: 0, outOfOrder: 0 })
    expect(await findings(h, ids)).toEqual([])
    expect(await h.db.rows('SELECT 1 FROM outbox.breaker_transitions')).toEqual([])
  },
)

test('14: more 429s than the failures that open a breaker leave it closed, charge no attempt, and make no dead letter', async () => {
  await h.relay()
  h.fake.misbehave({ kind: 'rateLimit', retryAfter: 0, times: 12 })
  const ids = await h.enqueue(...Array.from({ length: 20 }, (_, n) => track('u1', n)))
  const charged: number[] = []
  await h.fake.until((fake) => fake.requests.total >= 6)
  charged.push((await accountFor(h, ids)).attempts)
  await h.drained()
  charged.push((await accountFor(h, ids)).attempts)
  expect(charged).toEqual([0, 0])
  expect(h.fake.requests.byStatus[429]).toBe(12)
  expect(h.fake.counts).toMatchObject({ applied: 20, duplicates: 0, outOfOrder: 0 })
  expect(await findings(h, ids)).toEqual([])
  expect(await h.db.rows('SELECT 1 FROM outbox.breaker_transitions')).toEqual([])
})
