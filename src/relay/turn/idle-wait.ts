import { Signal } from '../timing/signal.ts'

/** A lane that was drained is kept for this long after the last work in it. */
const LINGER_MS = 1_500
/** No turn is made longer by lingering than this: a relay that joins comes to lanes, too. */
const TURN_MS = 300_000

/**
 * A lane that was drained is not handed back at once: its job stays active and its fence taken, so that what is
 * committed next costs neither a hand-out nor a taking. It is woken by that commit's notification, or by the dispatcher,
 * whose looks find the work, and who ends the wait where the lane is to go.
 */
export class IdleWait {
  readonly #onBegin: (readAt: number) => boolean
  readonly #onSettled: (intents: number) => void
  readonly #signal = new Signal()
  readonly #until = performance.now() + TURN_MS
  #waits = false
  #notifiedAt = Number.NEGATIVE_INFINITY
  #over = false

  /**
   * @param onBegin The lane waits, as it was read last at `readAt` (`performance.now()`); whether it may.
   * @param onSettled So many intents of it are settled.
   */
  constructor(onBegin: (readAt: number) => boolean, onSettled: (intents: number) => void) {
    this.#onBegin = onBegin
    this.#onSettled = onSettled
  }

  /** Nothing of the lane is under way. */
  get isWaiting(): boolean {
    return this.#waits
  }

  /** There is work in the lane. */
  wake(): void {
    if (!this.#waits) return
    this.#waits = false
    this.#signal.raise()
  }

  /** A commit has brought work to the lane: also where that is told while the lane is worked, it is not waited for. */
  notified(): void {
    this.#notifiedAt = performance.now()
    this.wake()
  }

  /** The lane is to be handed back, now or when it is drained. */
  end(): void {
    this.#over = true
    if (this.#waits) this.#signal.raise()
  }

  settled(intents: number): void {
    this.#onSettled(intents)
  }

  /** Waits for work; false where none came, or the lane is to be handed back. */
  async untilWork(readAt: number): Promise<boolean> {
    if (this.#over || performance.now() > this.#until) return false
    this.#waits = true
    if (!this.#onBegin(readAt)) return this.#endWait()
    if (this.#notifiedAt >= readAt) {
      this.#waits = false
      return true
    }
    const why = await this.#signal.wait(LINGER_MS)
    return this.#endWait() || (why === 'raised' && !this.#over)
  }

  #endWait(): false {
    this.#waits = false
    return false
  }
}
