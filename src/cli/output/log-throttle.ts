/** Throttles repeated log lines: passes one line per key and interval, and counts those that it suppresses. */
export class LogThrottle {
  readonly #intervalMs: number
  readonly #seen = new Map<string, { until: number; suppressed: number }>()

  /** @param intervalMs Milliseconds from one line to the next with the same key. */
  constructor(intervalMs: number) {
    this.#intervalMs = intervalMs
  }

  /**
   * @returns How many lines with this key were suppressed since the last one that passed; undefined if this line is to be
   * suppressed too.
   */
  pass(key: string): number | undefined {
    const now = performance.now()
    const last = this.#seen.get(key)
    if (last && now < last.until) {
      last.suppressed++
      return undefined
    }
    for (const [other, { until }] of this.#seen) if (until <= now) this.#seen.delete(other)
    this.#seen.set(key, { until: now + this.#intervalMs, suppressed: 0 })
    return last?.suppressed ?? 0
  }
}
