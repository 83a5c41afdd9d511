import { expect, test } from 'vitest'
import { backoffMs, exponentialMs } from '../../src/relay/timing/backoff.ts'

const BOUNDS = { first: 100, max: 10_000 }

test('the delay doubles with each consecutive failure, up to the maximum', () => {
  expect([1, 2, 3, 7, 8, 9, 5_000].map((failures) => exponentialMs(failures, BOUNDS))).toEqual([
    100, 200, 400, 6_400, 10_000, 10_000, 10_000,
  ])
  expect(exponentialMs(11, { first: 1 })).toBe(1_024)
})

test('with jitter the delay is 50 to 100 % of the exponential delay, and varies', () => {
  const delays = Array.from({ length: 200 }, () => backoffMs(3, BOUNDS))
  expect(Math.min(...delays)).toBeGreaterThanOrEqual(200)
  expect(Math.max(...delays)).toBeLessThanOrEqual(400)
  expect(new Set(delays).size).toBeGreaterThan(100)
})
