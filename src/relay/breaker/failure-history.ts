import type { LaneOutcome } from '../lane-outcome.ts'

/** What a failed request blames, unless the content of one of its intents is the cause. */
export type Blamed = 'destination' | 'credential'

/** Whether other requests pass after one has failed. `inconclusive`: its failure proves nothing about the others. */
export type Comparison = 'pass' | 'fail' | 'inconclusive'

/** What canaries have shown, or how the turn ends instead. */
export type CanaryResult = Comparison | LaneOutcome

/** The most ids whose failures are remembered: far more than fail at a time. */
const REMEMBERED = 1_000

/**
 * For this many milliseconds, a request that passed shows that the destination works. If an outage begins within this time,
 * the relay takes its failures for failures of suspects: it halves them, and charges them an attempt too early.
 */
const LATELY_MS = 2_000

/** What one relay remembers of a destination, to tell a failure of an intent from a failure of the destination. */
export class FailureHistory {
  #passes = 0
  #passedAt = Number.NEGATIVE_INFINITY
  /** By id of an intent that failed: the value of `passes` with which later passes are compared. */
  readonly #baselines = new Map<string, number>()
  readonly #canaries = new Map<Blamed, Promise<CanaryResult>>()

  /** Requests of this relay that passed: the destination accepted them, or refused only their content. */
  get passes(): number {
    return this.#passes
  }

  recordPass(): void {
    this.#passes++
    this.#passedAt = performance.now()
  }

  /** Whether a request has passed so lately that an outage since then is unlikely. */
  get hasPassedLately(): boolean {
    return performance.now() - this.#passedAt < LATELY_MS
  }

  /**
   * Remembers the first failure of an intent. Later failures are compared with requests that have passed since.
   *
   * @param passes The value of `passes` when the intent's request was sent.
   */
  recordFailure(id: string, passes: number): void {
    if (!this.#baselines.has(id)) this.#remember(id, passes)
  }

  /** Records that a failure of an intent was attributed: its next failure is compared with requests that pass from now on. */
  resetBaseline(id: string): void {
    this.#remember(id, this.#passes)
  }

  #remember(id: string, passes: number): void {
    this.#baselines.delete(id)
    this.#baselines.set(id, passes)
    for (const oldest of this.#baselines.keys()) {
      if (this.#baselines.size <= REMEMBERED) break
      this.#baselines.delete(oldest)
    }
  }

  /** Whether an intent has failed, as far as this relay remembers. */
  hasFailed(id: string): boolean {
    return this.#baselines.has(id)
  }

  /** Whether a request has passed since an intent failed. False if this relay remembers no failure of it. */
  hasPassedSince(id: string): boolean {
    const baseline = this.#baselines.get(id)
    return baseline !== undefined && this.#passes > baseline
  }

  /**
   * Whether other requests have passed since an intent failed. If the intent was charged an attempt, it is enough that one
   * has passed lately. The charge alone proves nothing, because the present failure may be an outage.
   */
  hasPassedFor(id: string, attempts: number): boolean {
    return this.hasPassedSince(id) || (attempts > 0 && this.hasPassedLately)
  }

  /** Sends canaries, for one lane at a time: lanes that call with the same `blamed` meanwhile share the result. */
  async runCanary(blamed: Blamed, send: () => Promise<CanaryResult>): Promise<CanaryResult> {
    const running = this.#canaries.get(blamed)
    if (running !== undefined) return running
    const result = send().finally(() => this.#canaries.delete(blamed))
    this.#canaries.set(blamed, result)
    return result
  }
}
