import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Seldom } from '../../src/cli/output/log-throttle.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] })
})
afterEach(() => {
  vi.useRealTimers()
})

test('of equal things one comes through in a while, with the count of those that did not', () => {
  const seldom = new Seldom(1_000)
  expect([1, 2, 3].map(() => seldom.count('a'))).toEqual([0, undefined, undefined])
  expect(seldom.count('b')).toBe(0)
  vi.advanceTimersByTime(999)
  expect(seldom.count('a')).toBe(undefined)
  vi.advanceTimersByTime(1)
  expect(seldom.count('a')).toBe(3)
  expect(seldom.count('a')).toBe(undefined)
})
