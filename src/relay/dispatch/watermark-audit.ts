import type { Database } from '../../store/connection/database.ts'
import { auditLanes } from '../../store/lanes/audit-lanes.ts'
import type { Destinations } from '../destination/destinations.ts'
import { DutyCycle } from '../timing/duty-cycle.ts'

export interface WatermarkAuditOptions {
  readonly db: Database
  readonly destinations: Pick<Destinations, 'names'>
  /** Called after it has found something: lanes have intents that the polls did not see. */
  readonly onFound: () => void
  readonly onError: (error: Error) => void
}

/**
 * Searches for intents below the lanes' watermarks, in the background. Polls begin at the watermarks and never see such
 * intents. They are rare: rows that were put back by hand, or numbers that a server drew again after it lost commits. It also
 * searches for held intents whose dead letter was deleted by hand.
 */
export class WatermarkAudit {
  readonly #options: WatermarkAuditOptions
  readonly #dutyCycle = new DutyCycle()
  #running: Promise<void> | undefined

  constructor(options: WatermarkAuditOptions) {
    this.#options = options
  }

  /** Starts an audit if one is due. */
  start(): void {
    if (this.#running || !this.#dutyCycle.isDue) return
    const { db, destinations, onFound, onError } = this.#options
    const startedAt = performance.now()
    this.#running = auditLanes(db, destinations.names)
      .then((lanes) => {
        if (lanes.length > 0) onFound()
      }, onError)
      .then(() => {
        this.#dutyCycle.completed(startedAt)
        this.#running = undefined
      })
  }

  /** Resolves when no audit runs. */
  async ended(): Promise<void> {
    await this.#running
  }
}
