import type { RateLimit } from '../store/take-tokens.ts'

/** Tokens that were drawn in advance and not used within this time go back to nobody. */
const LEASE_MS = 500
/** Share of a limit that is drawn at once: fewer round trips, and fewer versions of one hot row. */
const CHUNK = 1 / 50

/** Draws `count` tokens; 0, or the ms to wait. */
export type Draw = (count: number) => Promise<number>

/** One destination's rate limit in one relay: a few tokens in hand, drawn from those of the whole fleet. */
export class Limiter {
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
  async take(): Promise<number> {
    for (;;) {
      if (this.#inHand > 0 && performance.now() - this.#leasedAt < LEASE_MS) {
        this.#inHand--
        return 0
      }
      this.#drawing ??= this.#draw(this.#chunk)
        .then((wait) => {
          if (wait === 0) {
            this.#inHand = this.#chunk
            this.#leasedAt = performance.now()
          }
          return wait
        })
        .finally(() => {
          this.#drawing = undefined
        })
      const wait = await this.#drawing
      if (wait > 0) return wait
    }
  }

  /** Gives back leave that was not used: it is the next one's, for as long as what was drawn with it. */
  giveBack(): void {
    this.#inHand++
  }
}
