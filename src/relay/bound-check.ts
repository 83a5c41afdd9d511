import type { Database } from '../store/database.ts'
import { recheckBounds } from '../store/recheck-bounds.ts'

/** This often, and in a fiftieth of the time. */
const EVERY_MS = 5_000
const SHARE = 1 / 50

export interface BoundCheckOptions {
  readonly db: Database
  /** Lanes have intents that a look from their bounds does not see. */
  readonly onFound: () => void
  readonly onError: (error: Error) => void
}

/** A safety net beside the looks, which begin at the lanes' bounds: now and then from their very beginning. */
export class BoundCheck {
  readonly #options: BoundCheckOptions
  #dueAt = 0
  #running: Promise<void> | undefined

  constructor(options: BoundCheckOptions) {
    this.#options = options
  }

  /** Begins one in the background, if it is time. */
  begin(): void {
    const { db, onFound, onError } = this.#options
    const began = performance.now()
    if (this.#running || began < this.#dueAt) return
    this.#running = recheckBounds(db)
      .then((lanes) => {
        if (lanes.length > 0) onFound()
      }, onError)
      .then(() => {
        const now = performance.now()
        this.#dueAt = now + Math.max(EVERY_MS, (now - began) / SHARE)
        this.#running = undefined
      })
  }

  async ended(): Promise<void> {
    await this.#running
  }
}
