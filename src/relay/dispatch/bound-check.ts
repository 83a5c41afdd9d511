import type { Database } from '../../store/connection/database.ts'
import { recheckBounds } from '../../store/lanes/recheck-bounds.ts'
import { CheckPace } from '../timing/check-pace.ts'

export interface BoundCheckOptions {
  readonly db: Database
  readonly served: () => readonly string[]
  /** Lanes have intents that a look from their bounds does not see. */
  readonly onFound: () => void
  readonly onError: (error: Error) => void
}

/** A safety net beside the looks, which begin at the lanes' bounds: now and then from their very beginning. */
export class BoundCheck {
  readonly #options: BoundCheckOptions
  readonly #pace = new CheckPace()
  #running: Promise<void> | undefined

  constructor(options: BoundCheckOptions) {
    this.#options = options
  }

  /** Begins one in the background, if it is time. */
  begin(): void {
    const { db, served, onFound, onError } = this.#options
    const began = performance.now()
    if (this.#running || !this.#pace.isDue) return
    this.#running = recheckBounds(db, served())
      .then((lanes) => {
        if (lanes.length > 0) onFound()
      }, onError)
      .then(() => {
        this.#pace.ended(began)
        this.#running = undefined
      })
  }

  async ended(): Promise<void> {
    await this.#running
  }
}
