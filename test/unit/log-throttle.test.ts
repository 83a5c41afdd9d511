import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { LogThrottle } from '../../src/cli/output/log-throttle.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] })
})
afterEach(() => {
  vi.useRealTimers()
})

test('one line per key passes in each interval, with the number of lines that were suppressed', () => {
  const throttle = new LogThrottle(1_000)
  expect([1, 2, 3].map(() => throttle.pass('a'))).toEqual([0, undefined, undefined])
  expect(throttle.pass('b')).toBe(0)
  vi.advanceTimersByTime(999)
  expect(throttle.pass('a')).toBe(undefined)
  vi.advanceTimersByTime(1)
  expect(throttle.pass('a')).toBe(3)
  expect(throttle.pass('a')).toBe(undefined)
})
