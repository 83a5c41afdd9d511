import type { RateLimit } from '../../store/breakers/take-tokens.ts'

/** Milliseconds. Tokens that were drawn in advance and not used within this time are lost. */
const LEASE_MS = 500
/**
 * Share of a limit that is drawn at once. Drawing tokens one by one would take more round trips, and write more versions of
 * one hot row.
 */
const CHUNK = 1 / 50

/** Draws `count` tokens from the fleet's limit. Resolves with 0, or with the milliseconds to wait. */
export type Draw = (count: number) => Promise<number>

/** One destination's rate limit in one relay: it holds a few tokens, drawn from those of the whole fleet. */
export class RateLimiter {
  readonly #draw: Draw
  readonly #chunk: number
  #tokens = 0
  #drawnAt = 0
  #drawing: Promise<number> | undefined

  constructor(limit: RateLimit, draw: Draw) {
    this.#draw = draw
    this.#chunk = Math.max(1, Math.floor(limit.requests * CHUNK * (1_000 / Math.max(1_000, limit.perMs))))
  }

  /** Acquires a token for one request. Resolves with 0, or with the milliseconds to wait before asking again. */
  async acquire(): Promise<number> {
    for (;;) {
      if (this.#tokens > 0 && this.#isFresh) {
        this.#tokens--
        // This was the last token: draw more now, so that the next caller need not wait. An error is ignored here, because
        // the next caller draws again.
        if (this.#tokens === 0 && this.#chunk > 1) this.#drawChunk().catch(() => {})
        return 0
      }
      const wait = await this.#drawChunk()
      if (wait > 0) return wait
    }
  }

  get #isFresh(): boolean {
    return performance.now() - this.#drawnAt < LEASE_MS
  }

  /** Draws a chunk of tokens. Only one draw runs at a time, and callers share it. */
  #drawChunk(): Promise<number> {
    this.#drawing ??= this.#draw(this.#chunk)
      .then((wait) => {
        if (wait === 0) {
          this.#tokens = this.#chunk + (this.#isFresh ? this.#tokens : 0)
          this.#drawnAt = performance.now()
        }
        return wait
      })
      .finally(() => {
        this.#drawing = undefined
      })
    return this.#drawing
  }

  /** Gives back a token that was not used. It expires with the chunk that was drawn last. */
  release(): void {
    this.#tokens++
  }
}
