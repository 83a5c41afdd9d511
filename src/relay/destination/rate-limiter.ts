import type { RateLimit } from '../../store/breakers/take-tokens.ts'

/** Tokens that were drawn in advance and not used within this time go back to nobody. */
const LEASE_MS = 500
/** Share of a limit that is drawn at once: fewer round trips, and fewer versions of one hot row. */
const CHUNK = 1 / 50

/** A limit's wait up to this is slept through; for a longer one the lane is handed back. */
export const MAX_SLEEP_MS = 250

/** Draws `count` tokens; 0, or the ms to wait. */
export type Draw = (count: number) => Promise<number>

/** One destination's rate limit in one relay: a few tokens in hand, drawn from those of the whole fleet. */
export class RateLimiter {
  readonly #draw: Draw
  readonly #chunk: number
  #inHand = 0
  #leasedAt = 0
  #drawing: Promise<number> | undefined

  constructor(limit: RateLimit, draw: Draw) {
    this.#draw = draw
    this.#chunk = Math.max(1, Math.floor(limit.requests * CHUNK * (1_000 / Math.max(1_000, limit.perMs))))
  }

  /** Takes leave for one request. 0: it may go now; else the ms to wait before asking again. */
  async acquire(): Promise<number> {
    for (;;) {
      if (this.#inHand > 0 && this.#isFresh) {
        this.#inHand--
        // The last of several: whoever comes next is not to wait for the database. What that draw comes to is theirs.
        if (this.#inHand === 0 && this.#chunk > 1) this.#drawOn().catch(() => {})
        return 0
      }
      const wait = await this.#drawOn()
      if (wait > 0) return wait
    }
  }

  get #isFresh(): boolean {
    return performance.now() - this.#leasedAt < LEASE_MS
  }

  /** One draw at a time. */
  #drawOn(): Promise<number> {
    this.#drawing ??= this.#draw(this.#chunk)
      .then((wait) => {
        if (wait === 0) {
          this.#inHand = this.#chunk + (this.#isFresh ? this.#inHand : 0)
          this.#leasedAt = performance.now()
        }
        return wait
      })
      .finally(() => {
        this.#drawing = undefined
      })
    return this.#drawing
  }

  /** Gives back leave that was not used: it is the next one's, for as long as what was drawn with it. */
  release(): void {
    this.#inHand++
  }
}
