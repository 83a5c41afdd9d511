import type { Database } from '../../store/connection/database.ts'
import { resetStaleWatermarks } from '../../store/lanes/reset-stale-watermarks.ts'
import { DutyCycle } from '../timing/duty-cycle.ts'

export interface WatermarkAuditOptions {
  readonly db: Database
  readonly served: () => readonly string[]
  /** Lanes have intents that a look from their bounds does not see. */
  readonly onFound: () => void
  readonly onError: (error: Error) => void
}

/** A safety net beside the looks, which begin at the lanes' bounds: now and then from their very beginning. */
export class WatermarkAudit {
  readonly #options: WatermarkAuditOptions
  readonly #pace = new DutyCycle()
  #running: Promise<void> | undefined

  constructor(options: WatermarkAuditOptions) {
    this.#options = options
  }

  /** Begins one in the background, if it is time. */
  start(): void {
    const { db, served, onFound, onError } = this.#options
    const began = performance.now()
    if (this.#running || !this.#pace.isDue) return
    this.#running = resetStaleWatermarks(db, served())
      .then((lanes) => {
        if (lanes.length > 0) onFound()
      }, onError)
      .then(() => {
        this.#pace.completed(began)
        this.#running = undefined
      })
  }

  async ended(): Promise<void> {
    await this.#running
  }
}
