import type { Answered } from './received.ts'

const MIN_MS = 1_000
const MAX_MS = 3_600_000

/**
 * The wait that `Retry-After` asks for, in seconds or as an HTTP date. A date counts from the answer's own `Date`, because
 * the clock of this host may be wrong. The wait is at least 1 s, so that `0` or a date in the past makes no busy loop. It
 * is at most an hour, so that a wrong clock cannot stop a queue.
 *
 * @returns Milliseconds; undefined if the header has no usable value. Then the caller's own delay applies.
 */
export function retryAfterMs(
  { retryAfter, date }: Pick<Answered, 'retryAfter' | 'date'>,
  now: number,
): number | undefined {
  const text = retryAfter?.trim() ?? ''
  const answeredAt = Date.parse(date ?? '')
  const ms = /^-?\d+(\.\d+)?$/.test(text)
    ? Number(text) * 1_000
    : Date.parse(text) - (Number.isNaN(answeredAt) ? now : answeredAt)
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, MIN_MS), MAX_MS)
}
