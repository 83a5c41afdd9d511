import { setTimeout as delay } from 'node:timers/promises'

const CHECK_MS = 5

/**
 * Spreads intents evenly over a time. A writer takes a place for each intent before its transaction, and reports after it
 * how many intents it committed.
 */
export class Pace {
  readonly #total: number
  readonly #durationMs: number
  readonly #begin = performance.now()
  #taken = 0
  #done = 0

  constructor(total: number, durationMs: number) {
    this.#total = total
    this.#durationMs = durationMs
  }

  /** Waits until places are due, and takes two, or the last one. Returns 0 if all intents are committed. */
  async next(signal: AbortSignal): Promise<number> {
    for (;;) {
      signal.throwIfAborted()
      if (this.#taken < this.#due()) {
        const places = this.take(2)
        if (places > 0) return places
      }
      // A rollback of another writer may still return places.
      if (this.#done === this.#total) return 0
      await delay(CHECK_MS, undefined, { signal })
    }
  }

  /** Takes up to `places` of those left, without waiting. */
  take(places: number): number {
    const taken = Math.min(places, this.#total - this.#taken)
    this.#taken += taken
    return taken
  }

  /** Reports the end of a transaction that took `places` and committed `stored` intents. */
  done(places: number, stored: number): void {
    this.#taken -= places - stored
    this.#done += stored
  }

  #due(): number {
    return Math.min(this.#total, (this.#total * (performance.now() - this.#begin)) / this.#durationMs)
  }
}
