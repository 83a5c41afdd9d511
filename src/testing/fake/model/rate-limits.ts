/** Rates that the App API enforces: over them it answers 429 without `Retry-After`. Default: none. */
export interface FakeLimits {
  /** Transactional messages within any one second, at least 1. Published: 100. */
  readonly transactionalPerSecond?: number
  /** Seconds between two triggers of broadcasts, whichever these are; above 0. Published: 10. */
  readonly broadcastEverySeconds?: number
}

/** What was admitted lately. A request over the limit is not counted against it. */
export class RateLimiter {
  #sends: number[] = []
  #lastTrigger = Number.NEGATIVE_INFINITY

  /** `at` in Unix milliseconds. */
  admitsSend({ transactionalPerSecond }: FakeLimits, at: number): boolean {
    if (transactionalPerSecond === undefined) return true
    this.#sends = this.#sends.filter((time) => time > at - 1_000)
    if (this.#sends.length >= transactionalPerSecond) return false
    this.#sends.push(at)
    return true
  }

  /** `at` in Unix milliseconds. */
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
