import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Relay } from '../../src/relay.ts'
import { eventually } from '../support/eventually.ts'
import { type Harness, startHarness, stepOf, track } from '../support/relay-harness.ts'
import { accountFor, breakerState, findings, transitions } from './support/account.ts'

/*
 * Guards that an open breaker stops the dispatcher, and that events and timers start it again.
 * A test fails after each of these changes:
 * - if the dispatcher starts lanes while the breaker is open, or sets no timer for the next probe (`Breakers.waitMs` not
 *   used), there are never 12 failed probes;
 * - if `closeBreaker` does not notify, the second relay still has the breaker open when the first has drained everything;
 * - if the delay between probes does not grow, 15 probes come too early.
 */

let h: Harness
beforeEach(async () => {
  h = await startHarness({ sequenceOf: stepOf })
})
afterEach(() => h.close())

/** Milliseconds instead of hours: the delay to the next probe grows from 100 ms to 400 ms. The next poll is a minute away. */
const SETTINGS = {
  workers: 4,
  batchSize: 25,
  pollIntervalMs: 60_000,
  breaker: { failures: 5, successes: 3, halfOpenAfterMs: 100, maxHalfOpenAfterMs: 400 },
}

function observe(relay: Relay) {
  const seen = { states: [] as string[], settled: 0 }
  relay.on('breaker', ({ to }) => seen.states.push(to))
  relay.on('settled', ({ delivered }) => {
    seen.settled += delivered
  })
  return seen
}

test('15: in an outage the backlog stays, the breaker opens, no attempt is charged, and only probes are sent; the recovery drains the backlog at once', async () => {
  const relays = [await h.relay(SETTINGS), await h.relay(SETTINGS)].map(observe)
  const recover = h.fake.misbehave({ kind: 'outage' })
  const ids: string[] = []
  for (let n = 0; n < 2_000; n += 200) {
    ids.push(...(await h.enqueue(...Array.from({ length: 200 }, (_, i) => track(`u${i % 40}`, n + i)))))
  }
  const count = async (to: string) => (await transitions(h)).filter((t) => t.endsWith(`>${to}`)).length
  // Both relays have seen the open breaker, and the requests that were in flight have been answered.
  await eventually(
    'failed probes',
    async () => relays.every(({ states }) => states.length > 0) && (await count('open')) > 3,
  )
  const [requestsBefore, probesBefore] = [h.fake.requests.total, await count('half_open')]
  await eventually('more failed probes', async () => (await count('open')) >= 12)
  const [requests, probes] = [
    h.fake.requests.total - requestsBefore,
    (await count('half_open')) - probesBefore,
  ]
  expect(requests).toBeGreaterThanOrEqual(7)
  expect(requests).toBeLessThanOrEqual(probes + 1) // one may have begun between the two counts
  expect(await breakerState(h)).toMatchObject({ last_error: expect.stringContaining('503') })
  expect(await accountFor(h, ids)).toEqual({ delivered: 0, dead: 0, pending: 2_000, attempts: 0 })
  expect(await h.db.rows('SELECT pending FROM outbox.backlog')).toEqual([{ pending: '2000' }])
  expect(await delays()).toEqual([])

  h.fake.latencyMs = 20
  recover()
  await h.drained(20_000)
  expect(await accountFor(h, ids)).toEqual({ delivered: 2_000, dead: 0, pending: 0, attempts: 0 })
  expect(h.fake.counts).toMatchObject({ applied: 2_000, duplicates: 0, outOfOrder: 0 })
  expect(await findings(h, ids)).toEqual([])
  // Both relays were notified of the recovery: neither waited for its poll.
  for (const { states, settled } of relays) {
    expect(states.at(-1)).toBe('closed')
    expect(settled).toBeGreaterThan(0)
  }
  expect((await transitions(h)).slice(-2)).toEqual(['open>half_open', 'half_open>closed'])
})

/**
 * Finds the waits from an opening to its probe that were shorter than the setting: 100 ms, doubled up to 400 ms. The
 * statement that computes the wait records the time of the opening a little later, so there are 50 ms of grace.
 */
function delays() {
  return h.db.rows(
    `SELECT * FROM (
       SELECT at - lag(at) OVER w AS waited, row_number() OVER (PARTITION BY to_state ORDER BY ordinal) AS nth, to_state
       FROM outbox.breaker_transitions WINDOW w AS (ORDER BY ordinal)) t
     WHERE to_state = 'half_open' AND waited < (least(0.4, 0.1 * power(2, nth - 1)) - 0.05) * interval '1 second'`,
  )
}
