import { Signal } from '../timing/signal.ts'

/** Milliseconds for which a worker keeps a drained lane after the last work in it. */
const IDLE_MS = 1_500
/** Milliseconds after which a turn ends at its next idle wait, so that a relay that joins the fleet gets lanes, too. */
const MAX_TURN_MS = 300_000

/**
 * The wait of a drained lane for its next intent. The lane keeps its job and its fence, so that the next commit costs neither
 * a new job nor a claim. A notification or a poll that finds work ends the wait. If the lane is to be handed back, the
 * dispatcher ends the wait without work.
 */
export class IdleWait {
  readonly #mayWait: (readAt: number) => boolean
  readonly #signal = new Signal()
  readonly #deadline = performance.now() + MAX_TURN_MS
  #isWaiting = false
  #notifiedAt = Number.NEGATIVE_INFINITY
  #isEnded = false

  /**
   * @param mayWait Whether the lane may wait. Called when it is drained. `readAt`: when it was read last, by
   * `performance.now()`.
   */
  constructor(mayWait: (readAt: number) => boolean) {
    this.#mayWait = mayWait
  }

  /** Whether the lane waits: none of its intents is being read, sent or settled. */
  get isWaiting(): boolean {
    return this.#isWaiting
  }

  /** Ends the wait: the lane has work. */
  wake(): void {
    if (!this.#isWaiting) return
    this.#isWaiting = false
    this.#signal.raise()
  }

  /** Reports that a commit has brought work to the lane. If the lane is at work, its next wait ends at once. */
  notify(): void {
    this.#notifiedAt = performance.now()
    this.wake()
  }

  /** Hands the lane back: now if it is idle, else when it is drained. */
  end(): void {
    this.#isEnded = true
    if (this.#isWaiting) this.#signal.raise()
  }

  /**
   * Waits for work.
   *
   * @returns whether the lane may have work: false if none came within 1.5 s, or if the lane is to be handed back.
   */
  async untilWork(readAt: number): Promise<boolean> {
    if (this.#isEnded || performance.now() > this.#deadline) return false
    this.#isWaiting = true
    if (!this.#mayWait(readAt)) return this.#endWait()
    if (this.#notifiedAt >= readAt) {
      this.#isWaiting = false
      return true
    }
    const reason = await this.#signal.wait(IDLE_MS)
    return this.#endWait() || (reason === 'raised' && !this.#isEnded)
  }

  #endWait(): false {
    this.#isWaiting = false
    return false
  }
}
