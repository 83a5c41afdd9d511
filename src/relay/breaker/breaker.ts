import { BrokenCircuitError, CircuitState } from 'cockatiel'
import type { Answer } from '../../customerio/answers/answer.ts'
import type { BreakerRow, BreakerState } from '../../store/breakers/read-breakers.ts'
import type { Settlement } from '../../store/lanes/settle.ts'
import { exponentialMs } from '../timing/backoff.ts'
import { closedPolicy, type Policy, type PolicySettings, probePolicy, type SendOptions } from './policy.ts'
import type { BreakerStore } from './breaker-store.ts'
import { SharedState, type Eligibility } from './shared-state.ts'
import { FailureHistory } from './failure-history.ts'
import { describeFailure } from './describe-failure.ts'
import { RejectionWindow, withoutRejections } from './rejection-window.ts'
import { SupersededError } from './superseded-error.ts'

export type BreakerSettings = PolicySettings

/** Permission to send one request: an ordinary one, or the fleet's one probe. Its holder must use or release it. */
export type Permit = 'send' | 'probe'

/** Answers of a destination that works. */
const PASSES: ReadonlySet<Answer['kind']> = new Set(['accepted', 'rejected', 'too_large'])
/** The longest delay, in milliseconds, before a probe of a refused credential, which may have been corrected in Customer.io. */
const PAUSED_RETRY_MS = 30_000
/** Milliseconds without requests after a 429 that has no `Retry-After`; doubled with each 429 in a row. */
const RATE_LIMIT_COOLDOWN_MS = { first: 1_000, max: 60_000 }

/**
 * One destination's breaker in one relay. cockatiel counts failures and samples probes. The row in `outbox.breakers` holds
 * what the fleet shares: the state, the time of the next probe, and the relay that holds the probe (see `SharedState`).
 */
export class DestinationBreaker {
  readonly #settings: BreakerSettings
  readonly #store: BreakerStore
  readonly #shared: SharedState
  readonly #rejections: RejectionWindow
  readonly history = new FailureHistory()
  #policy: Policy
  /** Whether a lane of this relay is acquiring or using the probe. */
  #probing = false
  /** Whether the row shows failures in a row. The next answer that passes clears them. */
  #failuresRecorded = false
  #consecutive429s = 0

  constructor(relayId: string, settings: BreakerSettings, store: BreakerStore) {
    this.#shared = new SharedState(relayId)
    this.#settings = settings
    this.#store = store
    this.#rejections = new RejectionWindow(settings.breaker)
    this.#policy = closedPolicy(settings)
  }

  get state(): BreakerState {
    return this.#shared.state
  }

  /** Milliseconds between one canary and the next, after this many failed canaries in a row. */
  canaryDelayMs(failures: number): number {
    return exponentialMs(failures, { first: this.#settings.retry.initialDelayMs })
  }

  /** Rises with every change that this relay makes. Get it before you query the row, and pass both to `apply`. */
  get generation(): number {
    return this.#shared.generation
  }

  /** Milliseconds until the next try. Undefined: the destination may be tried now, or an operator must resume it. */
  get waitMs(): number | undefined {
    return this.#shared.waitMs
  }

  /** Whether the row must be read again: it could not be applied, or it says something else than this relay thought. */
  get mustReadAgain(): boolean {
    return this.#shared.mustReadAgain
  }

  eligibility(): Eligibility {
    const eligibility = this.#shared.eligibility()
    return this.#probing && eligibility === 'probe' ? 'none' : eligibility
  }

  /** Replaces what this relay knows by the fleet's row, unless this relay has changed something since the read began. */
  apply(row: BreakerRow | undefined, generation: number): void {
    if (this.#shared.apply(row, generation)) this.#reset()
    // Once the row holds the stop, the window begins anew, for the time after an operator resumes the destination. While this
    // relay is still writing a stop, the window stays full: if the write fails, the next rejection repeats it.
    if (!this.#shared.mustReadAgain && this.#shared.needsOperator) this.#rejections.clear()
  }

  /**
   * Counts the rejections of an answer before the relay settles it. If most of the last intents were rejected, the
   * destination stops for the whole fleet, and the intents beyond the limit stay in the queue: a gateway that refuses
   * everything, or a change of the API, must not dead-letter a backlog.
   *
   * @param mustGo Whether the intent with this id would be overtaken if it stayed: a later one of its key was delivered.
   * @returns the settlement to write.
   */
  async admit(answered: Settlement, mustGo: (id: string) => boolean): Promise<Settlement> {
    if (this.state === 'rejecting') return withoutRejections(answered, mustGo)
    const { settlement, stop } = this.#rejections.admit(answered, mustGo)
    if (stop && !this.#shared.needsOperator) {
      const written = this.#shared.reject(() => this.#store.reject(stop))
      // If the write fails, the rejection window stays full, so the next rejection tries the stop again.
      await written.then(
        (stopped) => stopped && this.#rejections.clear(),
        (error: unknown) => this.#store.onError(error as Error),
      )
    }
    return settlement
  }

  /**
   * Acquires a permit for one request. Undefined: the turn hands the lane back, because the breaker is open, the destination
   * is rate limited, or another lane or relay holds the probe.
   */
  async acquire(): Promise<Permit | undefined> {
    const eligibility = this.eligibility()
    if (eligibility === 'none') return undefined
    if (eligibility === 'all') return 'send'
    this.#probing = true
    try {
      const renewed = this.#shared.holdsProbe
      if (!(await this.#store.acquireProbe())) {
        this.#probing = false
        this.#shared.probeDenied()
        return undefined
      }
      this.#shared.probeAcquired()
      // An open policy is replaced. Either a probe failed and the row does not say so, because the write failed or a failover
      // lost it. Or the policy was never used, and has counted nothing.
      if (!renewed || this.#policy.state === CircuitState.Open) this.#policy = probePolicy(this.#settings)
      return 'probe'
    } catch (error) {
      this.#probing = false
      throw error
    }
  }

  /** Gives back a permit that was not used. */
  release(permit: Permit): void {
    if (permit === 'probe') this.#probing = false
  }

  /**
   * Runs one request under retry and breaker, and records the result. Undefined: the breaker opened meanwhile and nothing
   * was sent, or the settings changed and the answer is about the former ones.
   */
  async run(permit: Permit, send: () => Promise<Answer>, how?: SendOptions): Promise<Answer | undefined> {
    try {
      const answer = await this.#execute(() => this.#sendIfAllowed(permit, send), how)
      if (answer && PASSES.has(answer.kind)) this.history.recordPass()
      // This relay acts on the answer, even if its result cannot be written for the fleet.
      const written =
        permit === 'probe' && answer ? this.#recordProbe(answer, how) : this.#recordSend(answer, how)
      await written.catch((error: unknown) => this.#store.onError(error as Error))
      return answer
    } finally {
      this.release(permit)
    }
  }

  /**
   * Sends a request if the state still allows it. Time passes between a permit and its request, and before a retry. Meanwhile
   * another relay or an operator may have opened or paused the destination.
   */
  #sendIfAllowed(permit: Permit, send: () => Promise<Answer>): Promise<Answer> {
    const state = permit === 'probe' ? 'half_open' : 'closed'
    return this.state === state ? send() : Promise.reject(new BrokenCircuitError())
  }

  /**
   * Runs one request under the policy. Undefined: the breaker opened before the request or between it and its retry, or the
   * answer is about settings that have changed since.
   */
  async #execute(send: () => Promise<Answer>, how?: SendOptions): Promise<Answer | undefined> {
    try {
      return await this.#policy.execute(send, how)
    } catch (error) {
      if (error instanceof BrokenCircuitError) return undefined
      if (!(error instanceof SupersededError)) throw error
      // cockatiel takes an error that it does not handle for a successful probe: the sampling starts again.
      if (this.state === 'half_open') this.#policy = probePolicy(this.#settings)
      return undefined
    }
  }

  /** Pauses the destination once a comparison has blamed the credential for a refusal, which did not count when it arrived. */
  async refuseCredential(status: number | undefined, message: string): Promise<void> {
    if (this.state !== 'closed') return
    await this.#open('paused', message, status).catch((error: unknown) => this.#store.onError(error as Error))
  }

  async #recordSend(answer: Answer | undefined, { counts = () => true }: SendOptions = {}): Promise<void> {
    if (this.state !== 'closed') return // the answer to a request from before the breaker opened
    const { state, lastFailure, consecutiveFailures } = this.#policy
    if (state === CircuitState.Open) {
      return this.#open('open', lastFailure?.message ?? '', lastFailure?.status)
    }
    if (answer === undefined) return
    if (answer.kind === 'credential') {
      return counts(answer) ? this.#open('paused', answer.message, answer.status) : undefined
    }
    if (answer.kind === 'rate_limited') return this.#rateLimit(answer.retryAfterMs, answer.message)
    this.#consecutive429s = 0
    if (answer.kind === 'unavailable') {
      this.#failuresRecorded = consecutiveFailures > 0
      return this.#store.recordFailures(consecutiveFailures, describeFailure(answer))
    }
    if (this.#failuresRecorded) {
      this.#failuresRecorded = false
      await this.#store.recordFailures(0, undefined)
    }
  }

  async #recordProbe(answer: Answer, { counts = () => true }: SendOptions = {}): Promise<void> {
    if (answer.kind === 'credential') {
      if (counts(answer)) return this.#open('paused', answer.message, answer.status)
      this.#policy = probePolicy(this.#settings) // cockatiel took it for a failure: the sampling starts again
      return
    }
    if (answer.kind === 'rate_limited') {
      await this.#rateLimit(answer.retryAfterMs, answer.message)
      return this.#open('open', answer.message, 429)
    }
    if (answer.kind === 'unavailable') return this.#open('open', answer.message, answer.status)
    if (this.#policy.state !== CircuitState.Closed) return
    const reason = `${this.#settings.breaker.successes} successes`
    if (await this.#shared.close(() => this.#store.close(reason))) this.#reset()
  }

  async #open(state: 'open' | 'paused', message: string, status: number | undefined): Promise<void> {
    if (this.state === state || this.#shared.needsOperator) return
    const failureCount = Math.max(this.#policy.consecutiveFailures, 1)
    const error = describeFailure({ status, message })
    const delayMs = this.#firstProbeMs(state)
    const write = () => this.#store.open({ state, failureCount, error, delayMs })
    await (state === 'open' ? this.#shared.open(delayMs, write) : this.#shared.pause(delayMs, write))
  }

  /** Milliseconds to the first probe. `openBreaker` doubles those of `open` with each opening in a row. */
  #firstProbeMs(state: 'open' | 'paused'): number {
    const { halfOpenAfterMs } = this.#settings.breaker
    return state === 'paused' ? Math.min(PAUSED_RETRY_MS, halfOpenAfterMs) : halfOpenAfterMs
  }

  async #rateLimit(retryAfterMs: number | undefined, message: string): Promise<void> {
    // This 429 answers a request that was in flight beside the first one that got a 429, and says nothing new.
    if (retryAfterMs === undefined && this.#shared.isRateLimited) return
    this.#consecutive429s++
    const ms = retryAfterMs ?? exponentialMs(this.#consecutive429s, RATE_LIMIT_COOLDOWN_MS)
    await this.#shared.rateLimit(ms, () => this.#store.rateLimit(ms, `429: ${message}`))
  }

  #reset(): void {
    this.#failuresRecorded = false
    this.#consecutive429s = 0
    this.#policy = closedPolicy(this.#settings)
  }
}
