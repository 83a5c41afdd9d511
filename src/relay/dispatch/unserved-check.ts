import type { Database } from '../../store/connection/database.ts'
import { findUnserved } from '../../store/fleet/find-unserved.ts'
import type { Destinations } from '../destination/destinations.ts'

const CHECK_EVERY_MS = 10_000
/** The shortest pause between two checks after notifications, because any database user can send any number of them. */
const AFTER_NOTIFICATION_MS = 1_000
/** The most destinations that are reported: an old backlog may name any number. */
const MAX_REPORTED = 100

export interface UnservedCheckOptions {
  readonly db: Database
  readonly destinations: Pick<Destinations, 'names'>
  /** Called once for each destination. */
  readonly onUnserved: (destination: string) => void
  readonly onError: (error: Error) => void
}

/** Finds destinations that have intents and for which this relay has no credentials. Checks in the background. */
export class UnservedCheck {
  readonly #options: UnservedCheckOptions
  readonly #reported = new Set<string>()
  #dueAt = Number.NEGATIVE_INFINITY
  #endedAt = Number.NEGATIVE_INFINITY
  #running: Promise<void> | undefined

  constructor(options: UnservedCheckOptions) {
    this.#options = options
  }

  /** Makes a check due soon, because a notification has come, which may be for any destination. */
  checkSoon(): void {
    this.#dueAt = Math.min(this.#dueAt, this.#endedAt + AFTER_NOTIFICATION_MS)
  }

  /** Records that the credentials of these destinations have changed. A destination that loses them later is reported again. */
  changed(destinations: readonly string[]): void {
    for (const destination of destinations) this.#reported.delete(destination)
    this.#dueAt = Number.NEGATIVE_INFINITY
  }

  /** Starts a check if one is due. */
  start(): void {
    if (this.#running || performance.now() < this.#dueAt) return
    this.#dueAt = performance.now() + CHECK_EVERY_MS
    const { db, destinations, onError } = this.#options
    this.#running = findUnserved(db, destinations.names)
      .then((unserved) => this.#report(unserved), onError)
      .finally(() => {
        this.#endedAt = performance.now()
        this.#running = undefined
      })
  }

  /** Resolves when no check runs. */
  async ended(): Promise<void> {
    await this.#running
  }

  #report(unserved: readonly string[]): void {
    const withCredentials = new Set(this.#options.destinations.names) // the names may have changed during the check
    for (const destination of unserved) {
      if (withCredentials.has(destination) || this.#reported.has(destination)) continue
      if (this.#reported.size >= MAX_REPORTED) return
      this.#reported.add(destination)
      this.#options.onUnserved(destination)
    }
  }
}
