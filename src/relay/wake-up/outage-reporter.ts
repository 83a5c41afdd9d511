import { isConnectionError } from '../../store/connection/connection-error.ts'
import type { NotListeningReason } from './listener.ts'

export interface OutageReporterOptions {
  /** The database does not answer. Called once per outage. */
  readonly onLost: (error: Error) => void
  /** The database answers again, after this many milliseconds. */
  readonly onBack: (afterMs: number) => void
  /** Notifications do not arrive, for another reason than a lost database. Called once, until they arrive again. */
  readonly onNotListening: (reason: NotListeningReason, error: Error) => void
  /** Notifications arrive: called at the start, and once after each `onNotListening`. */
  readonly onListening: () => void
  /** Any other error, and a broken connection that was replaced. */
  readonly onError: (error: Error) => void
  /** A connection broke: the dispatcher must poll now. */
  readonly pollNow: () => void
}

/**
 * Milliseconds. Connections of a pool that break for one cause do so within this time, because it is longer than the deadline
 * of an answer.
 */
const ONE_CAUSE_MS = 30_000
/** Polls that fail in a row before the database counts as lost. Each uses another connection. */
const LOST_AFTER_POLLS = 2

/**
 * Collapses an outage into one `onLost` and one `onBack`, though every connection, timer and lane has an error then. The
 * dispatcher's poll decides: it uses a connection of the pool, or a fresh one if need be.
 */
export class OutageReporter {
  readonly #options: OutageReporterOptions
  #lostAt: number | undefined
  /** The first connection error since the last poll. */
  #suspicion: Error | undefined
  /**
   * When each message was last reported, by `performance.now()`. Messages that were reported longer than `ONE_CAUSE_MS` ago
   * are removed.
   */
  readonly #reportedAt = new Map<string, number>()
  #failedPolls = 0
  #listening: 'unknown' | 'yes' | 'no' = 'unknown'

  constructor(options: OutageReporterOptions) {
    this.#options = options
  }

  /** Reports an error that is not a poll's. After a connection error, the next poll decides what is reported. */
  report(error: Error): void {
    if (!isConnectionError(error)) this.#options.onError(error)
    else if (this.#lostAt === undefined && !this.#suspicion) {
      this.#suspicion = error
      this.#options.pollNow()
    }
  }

  pollSucceeded(): void {
    const { onBack } = this.#options
    const suspicion = this.#suspicion
    this.#suspicion = undefined
    this.#failedPolls = 0
    if (this.#lostAt !== undefined) {
      const afterMs = Math.round(performance.now() - this.#lostAt)
      this.#lostAt = undefined
      onBack(afterMs)
    } else if (suspicion) this.#reportOnce(suspicion)
  }

  pollFailed(error: Error): void {
    if (!isConnectionError(error)) {
      this.#options.onError(error)
      return
    }
    this.#suspicion ??= error
    this.#failedPolls++
    if (this.#failedPolls < LOST_AFTER_POLLS || this.#lostAt !== undefined) return
    this.#lostAt = performance.now()
    this.#reportedAt.set(error.message, this.#lostAt)
    this.#options.onLost(error)
  }

  notListening(reason: NotListeningReason, error: Error): void {
    // The listener retries, and reports again once the database is back.
    if (this.#listening === 'no' || this.#suspicion || this.#lostAt !== undefined) return
    this.#listening = 'no'
    this.#options.onNotListening(reason, error)
  }

  listening(): void {
    if (this.#listening === 'yes') return
    this.#listening = 'yes'
    this.#options.onListening()
  }

  /**
   * Reports an error, unless its message was reported within `ONE_CAUSE_MS`: connections that break for one cause do so one
   * after the other.
   */
  #reportOnce(error: Error): void {
    const now = performance.now()
    for (const [message, at] of this.#reportedAt)
      if (now - at >= ONE_CAUSE_MS) this.#reportedAt.delete(message)
    if (this.#reportedAt.has(error.message)) return
    this.#reportedAt.set(error.message, now)
    this.#options.onError(error)
  }
}
