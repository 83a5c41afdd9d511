import type { PollFailure } from '../../store/fleet/relay-registry.ts'

/**
 * Failures in a row after which polls count as failing. One failure may be a broken connection, and the next poll uses
 * another.
 */
const FAILURES = 2
const MAX_MESSAGE_LENGTH = 200

/** Whether the relay's polls succeed, for its row in `outbox.relays` and for `/readyz`. */
export class PollRecord {
  #failures = 0
  #failingSince = 0
  #message = ''

  succeeded(): void {
    this.#failures = 0
  }

  failed(error: Error): void {
    if (this.#failures === 0) this.#failingSince = performance.now()
    this.#failures++
    this.#message = error.message.replace(/[\s\p{Cc}]+/gu, ' ').slice(0, MAX_MESSAGE_LENGTH)
  }

  /** Undefined while polls succeed. */
  get failure(): PollFailure | undefined {
    if (this.#failures < FAILURES) return undefined
    return { forMs: performance.now() - this.#failingSince, message: this.#message }
  }
}
