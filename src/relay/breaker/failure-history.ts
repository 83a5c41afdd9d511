import type { LaneOutcome } from '../lane-outcome.ts'

/** What trying somebody else has shown, or how the turn ends instead. */
export type CanaryResult = 'pass' | 'fail' | LaneOutcome

/** What is to blame for a failure unless the content of its request is. */
export type Suspected = 'destination' | 'credential'

/** Intents of which it is remembered how they failed: far more than fail at a time. */
const REMEMBERED = 1_000

/** An outage that began within this time is taken for suspects' failures: they are halved and charged an attempt too early. */
const LATELY_MS = 2_000

/** What one relay knows of a destination to tell an intent's failure from the destination's. */
export class FailureHistory {
  #passed = 0
  #passedAt = Number.NEGATIVE_INFINITY
  /** By id of an intent that failed: how many requests had passed by then. */
  readonly #passedBefore = new Map<string, number>()
  readonly #underWay = new Map<Suspected, Promise<CanaryResult>>()

  /** How many requests the destination has answered as asked, or with a refusal of their content. */
  get passes(): number {
    return this.#passed
  }

  recordPass(): void {
    this.#passed++
    this.#passedAt = performance.now()
  }

  /** Whether a request has passed so lately that an outage since then is unlikely. */
  get hasPassedLately(): boolean {
    return performance.now() - this.#passedAt < LATELY_MS
  }

  /** An intent has failed of which it is not known yet: it is compared with what passed since `passed` was as given. */
  recordFailure(id: string, passed: number): void {
    if (!this.#passedBefore.has(id)) this.#remember(id, passed)
  }

  /** An intent has failed and was compared: from here on with what passes from now on. */
  resetBaseline(id: string): void {
    this.#remember(id, this.#passed)
  }

  #remember(id: string, passed: number): void {
    this.#passedBefore.delete(id)
    this.#passedBefore.set(id, passed)
    for (const oldest of this.#passedBefore.keys()) {
      if (this.#passedBefore.size <= REMEMBERED) break
      this.#passedBefore.delete(oldest)
    }
  }

  /** Whether it has failed, as far as this relay knows. */
  hasFailed(id: string): boolean {
    return this.#passedBefore.has(id)
  }

  /** Whether something has passed since then, as far as this relay knows. */
  hasPassedSince(id: string): boolean {
    const before = this.#passedBefore.get(id)
    return before !== undefined && this.#passed > before
  }

  /**
   * Whether others pass at which an intent failed: since it failed before or, if it was charged an attempt for that,
   * lately. An intent that was charged is no proof of its own: what fails now may be an outage.
   */
  hasPassedFor(id: string, attempts: number): boolean {
    return this.hasPassedSince(id) || (attempts > 0 && this.hasPassedLately)
  }

  /** Tries others; one lane at a time: those that want to know the same meanwhile are told what it comes to. */
  async runCanary(blamed: Suspected, tryThem: () => Promise<CanaryResult>): Promise<CanaryResult> {
    const underWay = this.#underWay.get(blamed)
    if (underWay !== undefined) return underWay
    const trying = tryThem().finally(() => this.#underWay.delete(blamed))
    this.#underWay.set(blamed, trying)
    return trying
  }
}
