const EVERY_MS = 5_000
const SHARE = 1 / 50

/** When something is checked for safety's sake alone: every 5 s, and in a fiftieth of the time, however long it takes. */
export class DutyCycle {
  #dueAt = Number.NEGATIVE_INFINITY

  get isDue(): boolean {
    return performance.now() >= this.#dueAt
  }

  /** A check has ended that began at `began` (`performance.now()`). */
  completed(began: number): void {
    const now = performance.now()
    this.#dueAt = now + Math.max(EVERY_MS, (now - began) / SHARE)
  }
}
