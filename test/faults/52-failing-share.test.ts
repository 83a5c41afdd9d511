import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { type Harness, startHarness, stepOf, track } from '../support/relay-harness.ts'
import { transitions } from './support/account.ts'

/*
 * Guards the separation of suspects from the rest of a lane. At 100 requests a second it takes half a minute to find the
 * 500 culprits of 5,000. If each lane waited for its own culprits, a live event would arrive after 18 s in the median,
 * and 25 s at most.
 * A test fails after each of these changes, because live events have not arrived after half a minute:
 * - if suspects come before all other intents (`nextSide` of src/relay/lane/drain-batches.ts returns `suspects` whenever
 *   there are any);
 * - if `halve` divides a batch by position, oldest first, instead of by key.
 */

/** The defaults of production. */
const SETTINGS = {
  requestTimeoutMs: 10_000,
  retry: { maxRetries: 2, initialDelayMs: 200 },
  breaker: { failures: 5, successes: 3, halfOpenAfterMs: 30_000, maxHalfOpenAfterMs: 300_000 },
}
const BACKLOG = 5_000
const PEOPLE = 2_000
const LIVE_MS = 5_000

let h: Harness
beforeEach(async () => {
  h = await startHarness({ sequenceOf: stepOf, latencyMs: 10 })
})
afterEach(() => h.close())

const isFailing = {
  person: (n: number) => (n % PEOPLE) % 10 === 3,
  intent: (n: number) => (n + Math.floor(n / PEOPLE)) % 10 === 3,
}

test.each(['person', 'intent'] as const)(
  '52: every tenth %s of a backlog always gets a 500: each live event of other people arrives within 5 s',
  async (by) => {
    h.fake.misbehave({
      kind: 'failOn',
      operation: (op) => Number(stepOf(op)) >= 0 && isFailing[by](Number(stepOf(op))),
    })
    await h.enqueue(...Array.from({ length: BACKLOG }, (_, n) => track(`u${(n * 7) % PEOPLE}`, n)))
    await h.relay(SETTINGS)
    const enqueuedAt = new Map<string, number>()
    const arrivedAt = new Map<string, number>()
    const look = () => {
      for (const { personKey } of h.fake.applied.slice(-2_000)) {
        const id = personKey.replace(/^.*?(live\d+).*$/, '$1')
        if (enqueuedAt.has(id) && !arrivedAt.has(id)) arrivedAt.set(id, performance.now())
      }
    }
    const began = performance.now()
    for (let n = 0; performance.now() - began < LIVE_MS; n++) {
      const id = `live${n}`
      enqueuedAt.set(id, performance.now())
      await h.enqueue(track(id, -1))
      look()
      await delay(50)
    }
    await eventually('all live events to have arrived', () => {
      look()
      return arrivedAt.size === enqueuedAt.size
    })
    const waits = [...enqueuedAt].map(([id, at]) => (arrivedAt.get(id) ?? 0) - at)
    expect(Math.max(...waits)).toBeLessThan(5_000)
    expect(h.fake.counts).toMatchObject({ duplicates: 0, outOfOrder: 0 })
    expect(await transitions(h)).toEqual([])
  },
)
