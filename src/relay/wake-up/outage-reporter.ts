import { isConnectionError } from '../../store/connection/connection-error.ts'
import type { NotListeningReason } from './listener.ts'

export interface OutageReporterOptions {
  /** The database does not answer; said once. */
  readonly onLost: (error: Error) => void
  /** It answers again, after so many milliseconds. */
  readonly onBack: (afterMs: number) => void
  /** Wake-ups are not heard, for another reason than a lost database; said once. */
  readonly onNotListening: (reason: NotListeningReason, error: Error) => void
  /** They are heard: at the start, and once after each `onNotListening`. */
  readonly onListening: () => void
  /** Any other error, and a broken connection in whose place another was had. */
  readonly onError: (error: Error) => void
  /** Look at the database now: a connection broke. */
  readonly poll: () => void
}

/** Longer than an answer's deadline: every connection of a pool has found out by then. */
const ONE_CAUSE_MS = 30_000

/**
 * Makes one word for the loss of the database, and one for its return, of the errors that every connection, timer
 * and lane then has. The dispatcher's look is the judge: it uses a connection of the pool, a fresh one if need be.
 */
export class OutageReporter {
  readonly #options: OutageReporterOptions
  #lostAt: number | undefined
  /** The first error of a connection since the last look. */
  #doubt: Error | undefined
  #told = { message: '', at: Number.NEGATIVE_INFINITY }
  #failedLooks = 0
  #listening: 'unknown' | 'yes' | 'no' = 'unknown'

  constructor(options: OutageReporterOptions) {
    this.#options = options
  }

  /** An error from anywhere but a look. */
  report(error: Error): void {
    if (!isConnectionError(error)) this.#options.onError(error)
    else if (this.#lostAt === undefined && !this.#doubt) {
      this.#doubt = error
      this.#options.poll()
    }
  }

  pollSucceeded(): void {
    const { onBack } = this.#options
    const doubt = this.#doubt
    this.#doubt = undefined
    this.#failedLooks = 0
    if (this.#lostAt !== undefined) {
      const afterMs = Math.round(performance.now() - this.#lostAt)
      this.#lostAt = undefined
      onBack(afterMs)
    } else if (doubt) this.#tell(doubt)
  }

  /** Connections that break for one cause do so one after the other: for that one word is enough. */
  #tell(error: Error): void {
    const now = performance.now()
    if (error.message === this.#told.message && now - this.#told.at < ONE_CAUSE_MS) return
    this.#told = { message: error.message, at: now }
    this.#options.onError(error)
  }

  /** Twice in a row, each on a connection of its own: one that broke is not yet a lost database. */
  pollFailed(error: Error): void {
    if (!isConnectionError(error)) {
      this.#options.onError(error)
      return
    }
    this.#doubt ??= error
    this.#failedLooks++
    if (this.#failedLooks < 2 || this.#lostAt !== undefined) return
    this.#lostAt = performance.now()
    this.#told = { message: error.message, at: this.#lostAt }
    this.#options.onLost(error)
  }

  notListening(reason: NotListeningReason, error: Error): void {
    if (this.#listening === 'no' || this.#doubt || this.#lostAt !== undefined) return // it will be tried again
    this.#listening = 'no'
    this.#options.onNotListening(reason, error)
  }

  listening(): void {
    if (this.#listening === 'yes') return
    this.#listening = 'yes'
    this.#options.onListening()
  }
}
