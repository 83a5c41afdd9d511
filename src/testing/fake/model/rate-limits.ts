/**
 * The rates that the App API enforces. Above them it answers 429 without `Retry-After`.
 *
 * @example
 * ```ts
 * import { startFakeCustomerIo } from 'customerio-outbox/testing'
 *
 * await using fake = await startFakeCustomerIo()
 * fake.limits = { transactionalPerSecond: 100, broadcastEverySeconds: 10 } // as Customer.io publishes them
 * ```
 */
export interface FakeLimits {
  /**
   * Transactional messages within any one second, at least 1. Customer.io publishes 100.
   *
   * @default undefined (no limit)
   */
  readonly transactionalPerSecond?: number
  /**
   * Seconds between two broadcast triggers, of the same broadcast or not. Above 0. Customer.io publishes 10.
   *
   * @default undefined (no limit)
   */
  readonly broadcastEverySeconds?: number
}

/** Admits requests within the limits. A request that is not admitted does not count against its limit. */
export class RateLimiter {
  #sends: number[] = []
  #lastTrigger = Number.NEGATIVE_INFINITY

  /** `at` is in Unix milliseconds. */
  admitsSend({ transactionalPerSecond }: FakeLimits, at: number): boolean {
    if (transactionalPerSecond === undefined) return true
    this.#sends = this.#sends.filter((time) => time > at - 1_000)
    if (this.#sends.length >= transactionalPerSecond) return false
    this.#sends.push(at)
    return true
  }

  /** `at` is in Unix milliseconds. */
  admitsTrigger({ broadcastEverySeconds }: FakeLimits, at: number): boolean {
    if (broadcastEverySeconds !== undefined && at - this.#lastTrigger < broadcastEverySeconds * 1_000)
      return false
    this.#lastTrigger = at
    return true
  }
}

export function checkLimits({ transactionalPerSecond, broadcastEverySeconds }: FakeLimits): void {
  if (
    transactionalPerSecond !== undefined &&
    !(Number.isInteger(transactionalPerSecond) && transactionalPerSecond >= 1)
  )
    throw new TypeError(
      `Expected transactionalPerSecond to be a whole number of at least 1, got ${transactionalPerSecond}`,
    )
  if (
    broadcastEverySeconds !== undefined &&
    !(Number.isFinite(broadcastEverySeconds) && broadcastEverySeconds > 0)
  )
    throw new TypeError(`Expected broadcastEverySeconds to be above 0, got ${broadcastEverySeconds}`)
}
