import type { LaneOutcome } from '../lane-outcome.ts'

/** What a failed request blames, unless the content of one of its intents is the cause. */
export type Blamed = 'destination' | 'credential'

/** Whether other requests pass at which one failed. `inconclusive`: the failure proves nothing about the others. */
export type Comparison = 'pass' | 'fail' | 'inconclusive'

/** What canaries have shown, or how the turn ends instead. */
export type CanaryResult = Comparison | LaneOutcome

/** Ids whose failures are remembered at most: far more than fail at a time. */
const REMEMBERED = 1_000

/**
 * Milliseconds in which a request that passed shows that the destination works. An outage that began within this time is
 * taken for failures of suspects: the relay halves them and charges them an attempt too early.
 */
const LATELY_MS = 2_000

/** What one relay remembers of a destination to tell an intent's failure from the destination's. */
export class FailureHistory {
  #passes = 0
  #passedAt = Number.NEGATIVE_INFINITY
  /** By id of an intent that failed: `passes` at that time. */
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
   * @param passes `passes` when its request was sent.
   */
  recordFailure(id: string, passes: number): void {
    if (!this.#baselines.has(id)) this.#remember(id, passes)
  }

  /** An intent has failed, and the failure was attributed: its next one is compared with requests that pass from now on. */
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
   * Whether others have passed since an intent failed or, if it was charged an attempt, lately. The charge alone proves
   * nothing: its present failure may be an outage.
   */
  hasPassedFor(id: string, attempts: number): boolean {
    return this.hasPassedSince(id) || (attempts > 0 && this.hasPassedLately)
  }

  /** Sends canaries, for one lane at a time: lanes that ask the same meanwhile share the result. */
  async runCanary(blamed: Blamed, send: () => Promise<CanaryResult>): Promise<CanaryResult> {
    const running = this.#canaries.get(blamed)
    if (running !== undefined) return running
    const result = send().finally(() => this.#canaries.delete(blamed))
    this.#canaries.set(blamed, result)
    return result
  }
}
