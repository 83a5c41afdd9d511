import type { Database } from '../../store/connection/database.ts'
import { findUnserved } from '../../store/fleet/find-unserved.ts'

/** Between two checks. */
const EVERY_MS = 10_000
/** The same after a wake-up, of which any database user can send any number. */
const AFTER_WAKE_UP_MS = 1_000
/** Destinations that are reported at most: an old backlog may name any number. */
const REPORTED_AT_MOST = 100

export interface UnservedCheckOptions {
  readonly db: Database
  readonly served: () => readonly string[]
  /** Called once for each destination. */
  readonly onUnserved: (destination: string) => void
  readonly onError: (error: Error) => void
}

/** Finds, now and then and in the background, destinations that have intents and that this relay does not serve. */
export class UnservedCheck {
  readonly #options: UnservedCheckOptions
  readonly #reported = new Set<string>()
  #dueAt = Number.NEGATIVE_INFINITY
  #endedAt = Number.NEGATIVE_INFINITY
  #running: Promise<void> | undefined

  constructor(options: UnservedCheckOptions) {
    this.#options = options
  }

  /** A wake-up has come that may be of any destination. */
  checkSoon(): void {
    this.#dueAt = Math.min(this.#dueAt, this.#endedAt + AFTER_WAKE_UP_MS)
  }

  /** The served destinations have changed: these are reported again if they are not served later. */
  changed(destinations: readonly string[]): void {
    for (const destination of destinations) this.#reported.delete(destination)
    this.#dueAt = Number.NEGATIVE_INFINITY
  }

  /** Starts a check if one is due. */
  start(): void {
    if (this.#running || performance.now() < this.#dueAt) return
    this.#dueAt = performance.now() + EVERY_MS
    const { db, served, onError } = this.#options
    this.#running = findUnserved(db, served())
      .then((destinations) => this.#report(destinations), onError)
      .finally(() => {
        this.#endedAt = performance.now()
        this.#running = undefined
      })
  }

  async ended(): Promise<void> {
    await this.#running
  }

  #report(destinations: readonly string[]): void {
    const served = new Set(this.#options.served()) // it may have changed meanwhile
    for (const destination of destinations) {
      if (served.has(destination) || this.#reported.has(destination)) continue
      if (this.#reported.size >= REPORTED_AT_MOST) return
      this.#reported.add(destination)
      this.#options.onUnserved(destination)
    }
  }
}
