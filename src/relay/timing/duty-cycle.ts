const MIN_INTERVAL_MS = 5_000
const MAX_SHARE = 1 / 50

/** The schedule of a check that is only a safety net: at most once in 5 s, and for at most 2 % of the time. */
export class DutyCycle {
  #dueAt = Number.NEGATIVE_INFINITY

  get isDue(): boolean {
    return performance.now() >= this.#dueAt
  }

  /**
   * Schedules the next check.
   *
   * @param startedAt When the check that has just ended was started, by `performance.now()`.
   */
  completed(startedAt: number): void {
    const now = performance.now()
    this.#dueAt = now + Math.max(MIN_INTERVAL_MS, (now - startedAt) / MAX_SHARE)
  }
}
