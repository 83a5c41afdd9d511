import { setTimeout as delay } from 'node:timers/promises'

const CHECK_MS = 5

/** Spreads a number of intents evenly over a time. Writers ask before a transaction and tell after it. */
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

  /** Waits for its time, and takes room for two intents, or for the last one. 0: all are done. */
  async next(signal: AbortSignal): Promise<number> {
    for (;;) {
      signal.throwIfAborted()
      if (this.#taken < this.#due()) {
        const places = this.take(2)
        if (places > 0) return places
      }
      // While others are under way a rollback of theirs may give room back.
      if (this.#done === this.#total) return 0
      await delay(CHECK_MS, undefined, { signal })
    }
  }

  /** Takes as much of the room as is left, without waiting for its time. */
  take(places: number): number {
    const taken = Math.min(places, this.#total - this.#taken)
    this.#taken += taken
    return taken
  }

  /** A transaction has ended: of the room for `places` it has used `stored`. */
  done(places: number, stored: number): void {
    this.#taken -= places - stored
    this.#done += stored
  }

  #due(): number {
    return Math.min(this.#total, (this.#total * (performance.now() - this.#begin)) / this.#durationMs)
  }
}
