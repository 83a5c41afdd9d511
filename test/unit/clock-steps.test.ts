import { expect, test } from 'vitest'
import { ClockSteps } from '../../src/relay/dispatch/clock-steps.ts'

test('a clock that goes as fast as ours has no steps; one that is set has one', () => {
  let now = 1_000
  const steps = new ClockSteps(() => now)
  const readAfter = (ms: number, clockMs: number) => {
    now += ms
    return steps.read(clockMs)
  }
  expect(steps.expectedMs).toBeUndefined()
  expect(readAfter(0, 5_000_000)).toBe(0)
  expect(readAfter(2_000, 5_002_000)).toBe(0)
  expect(readAfter(60_000, 8_662_000)).toBe(3_600_000)
  expect(readAfter(1_000, 8_663_000)).toBe(0)
  expect(readAfter(1_000, 5_064_000)).toBe(-3_600_000)
  now += 500
  expect(steps.expectedMs).toBe(5_064_500)
})
