import { expect, test } from 'vitest'
import type { Answer } from '../../src/customerio/answers/answer.ts'
import { DestinationBreaker } from '../../src/relay/breaker/breaker.ts'
import type { BreakerOpening } from '../../src/relay/breaker/breaker-store.ts'

const REFUSED: Answer = { kind: 'credential', status: 401, message: 'refused' }
const FAILED: Answer = { kind: 'unavailable', status: 503, outcome: 'not_applied', message: 'failed' }

/*
 * The relay and the row of the fleet must wait equally long for the first probe. A test fails if `pause` of `SharedState`
 * gets `halfOpenAfterMs`. Then this relay waits for ten minutes, and the row says 30 s.
 */
test.each([
  { answer: REFUSED, state: 'paused', halfOpenAfterMs: 600_000, delayMs: 30_000 },
  { answer: REFUSED, state: 'paused', halfOpenAfterMs: 5_000, delayMs: 5_000 },
  { answer: FAILED, state: 'open', halfOpenAfterMs: 600_000, delayMs: 600_000 },
])('a breaker that is $state waits $delayMs ms in this relay and in the row', async (expected) => {
  const openings: BreakerOpening[] = []
  const breaker = new DestinationBreaker('relay', settings(expected.halfOpenAfterMs), {
    open: async (opening) => {
      openings.push(opening)
      return true
    },
    reject: async () => true,
    acquireProbe: async () => true,
    close: async () => true,
    rateLimit: async () => {},
    recordFailures: async () => {},
    onError: (error) => {
      throw error
    },
  })
  const permit = (await breaker.acquire()) ?? expect.fail('no permit')
  await breaker.run(permit, async () => expected.answer)
  expect(openings).toMatchObject([{ state: expected.state, delayMs: expected.delayMs }])
  expect(breaker.state).toBe(expected.state)
  expect(breaker.waitMs).toBeLessThanOrEqual(expected.delayMs)
  expect(breaker.waitMs).toBeGreaterThan(expected.delayMs - 1_000)
})

function settings(halfOpenAfterMs: number) {
  return {
    breaker: {
      failures: 1,
      successes: 3,
      halfOpenAfterMs,
      maxHalfOpenAfterMs: halfOpenAfterMs,
      rejections: 100,
      rejectionShare: 0.5,
    },
    retry: { maxRetries: 0, initialDelayMs: 1 },
  }
}
