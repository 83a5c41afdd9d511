import { BrokenCircuitError, CircuitState } from 'cockatiel'
import type { Answer } from '../../customerio/answers/answer.ts'
import type { BreakerRow, BreakerState } from '../../store/breakers/read-breakers.ts'
import type { Settlement } from '../../store/lanes/settle.ts'
import {
  closedPolicy,
  type Policy,
  type PolicySettings,
  probePolicy,
  type SendOptions,
  type Unavailable,
} from './policy.ts'
import { SharedState, type Eligibility } from './shared-state.ts'
import { FailureHistory } from './failure-history.ts'
import { describeFailure } from './describe-failure.ts'
import { type Rejections, RejectionWindow, withoutRejections } from './rejection-window.ts'
import { SupersededError } from './superseded-error.ts'

/** What the breaker tells the fleet through Postgres; resolves when it is written. */
export interface BreakerStore {
  open(state: 'open' | 'paused', failureCount: number, error: string): Promise<boolean>
  /** Stops the destination until a person resumes it. */
  reject(rejections: Rejections): Promise<boolean>
  acquireProbe(): Promise<boolean>
  close(reason: string): Promise<boolean>
  rateLimit(ms: number, error: string): Promise<void>
  recordFailures(count: number, error: string | undefined): Promise<void>
  /** A change could not be written: the next sync puts this relay right. */
  onError(error: Error): void
}

export type BreakerSettings = PolicySettings

/** Leave to send one request: an ordinary one, or the fleet's one probe. To be used or given back. */
export type Permit = 'send' | 'probe'

/** Answers of a destination that works. */
const PASSES: ReadonlySet<Answer['kind']> = new Set(['accepted', 'rejected', 'too_large'])
/** Without a `Retry-After`: 1 s, doubled with each 429 in a row, up to a minute. */
const HOLD_MS = { first: 1_000, max: 60_000 }

/**
 * One destination's breaker in one relay: cockatiel counts and samples, the row in `outbox.breakers` says for
 * the whole fleet what the state is, when a probe is due and who holds it.
 */
export class DestinationBreaker {
  readonly #settings: BreakerSettings
  readonly #store: BreakerStore
  readonly #view: SharedState
  readonly #rejections: RejectionWindow
  readonly history = new FailureHistory()
  #policy: Policy
  #probing = false
  #failures = 0
  #lastFailure: Unavailable = { kind: 'unavailable', status: undefined, outcome: 'not_applied', message: '' }
  #limitedInARow = 0

  constructor(
    relayId: string,
    settings: BreakerSettings,
    store: BreakerStore,
    clock = () => performance.now(),
  ) {
    this.#view = new SharedState(relayId, clock)
    this.#settings = settings
    this.#store = store
    this.#rejections = new RejectionWindow(settings.breaker)
    this.#policy = this.#closedPolicy()
  }

  get state(): BreakerState {
    return this.#view.state
  }

  /** Milliseconds to leave between a failure and the next try, by how many have failed in a row. */
  retryDelayMs(failures: number): number {
    return this.#settings.retry.initialDelayMs * 2 ** (failures - 1)
  }

  get generation(): number {
    return this.#view.generation
  }

  /** Milliseconds until the destination may be tried; undefined while it may be now, or until a person resumes it. */
  get waitMs(): number | undefined {
    return this.#view.waitMs
  }

  /** Whether the row is to be read again: it could not be taken over, or it says something else than was thought. */
  get stale(): boolean {
    return this.#view.stale
  }

  eligibility(): Eligibility {
    const eligibility = this.#view.eligibility()
    return this.#probing && eligibility === 'probe' ? 'none' : eligibility
  }

  /** Takes over what the fleet says, unless this relay has changed something since it was read. */
  apply(row: BreakerRow | undefined, generation: number): void {
    if (this.#view.apply(row, generation)) this.#reset()
    // The row holds the stop: once a person resumes it, the window begins anew. A stop that this relay is still writing is
    // not in the row. If that write fails, the full window makes the next rejection write it again.
    if (!this.#view.stale && this.#view.needsPerson) this.#rejections.clear()
  }

  /**
   * Counts what an answer has settled, before it is. If most of the last intents were rejected, the destination stops for
   * the whole fleet, and the intents beyond the limit stay in the queue: a gateway that refuses everything, or a change of
   * the API, must not bury a backlog.
   *
   * @param mustGo Whether the intent with this id would be overtaken if it stayed: a later one of its key was delivered.
   * @returns what is to be settled.
   */
  async admit(answered: Settlement, mustGo: (id: string) => boolean): Promise<Settlement> {
    if (this.state === 'rejecting') return withoutRejections(answered, mustGo)
    const { settlement, stop } = this.#rejections.admit(answered, mustGo)
    if (stop && !this.#view.needsPerson) {
      const written = this.#view.open('rejecting', undefined, () => this.#store.reject(stop))
      // Until it is written the window stays as it is: the next rejection stops the destination again.
      await written.then(
        (stopped) => stopped && this.#rejections.clear(),
        (error: unknown) => this.#store.onError(error as Error),
      )
    }
    return settlement
  }

  /**
   * Asks to send one request. Undefined: hand the lane back, the breaker is open, a hold is on, or another lane
   * or relay has the probe.
   */
  async acquire(): Promise<Permit | undefined> {
    const eligibility = this.eligibility()
    if (eligibility === 'none') return undefined
    if (eligibility === 'all') return 'send'
    this.#probing = true
    try {
      const renewed = this.#view.probeIsMine && this.state === 'half_open'
      if (!(await this.#store.acquireProbe())) {
        this.#probing = false
        this.#view.probeElsewhere()
        return undefined
      }
      this.#view.probeAcquired()
      // A probe has failed, and the row does not say so: that could not be written, or a failover has lost it. A policy that
      // was never used is open, too, and has counted nothing.
      const isOpen = this.#policy.breaker.state === CircuitState.Open
      if (!renewed || isOpen) this.#policy = probePolicy(this.#settings)
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
   * Runs one request under retry and breaker, and writes down what it came to. Undefined: the breaker opened
   * meanwhile and nothing was sent.
   */
  async run(permit: Permit, send: () => Promise<Answer>, how?: SendOptions): Promise<Answer | undefined> {
    try {
      const answer = await this.#execute(() => this.#sendIfLet(permit, send), how)
      if (answer && PASSES.has(answer.kind)) this.history.recordPass()
      // What the request came to is known, whether or not it can be written down for the fleet.
      const written =
        permit === 'probe' && answer ? this.#settleProbe(answer, how) : this.#settleSend(answer, how)
      await written.catch((error: unknown) => this.#store.onError(error as Error))
      return answer
    } finally {
      this.release(permit)
    }
  }

  /**
   * A permit was given some time ago, and a retry comes later still: no request begins once the destination was
   * paused, or opened, by another relay or a person.
   */
  #sendIfLet(permit: Permit, send: () => Promise<Answer>): Promise<Answer> {
    const state = permit === 'probe' ? 'half_open' : 'closed'
    return this.state === state ? send() : Promise.reject(new BrokenCircuitError())
  }

  /**
   * Undefined where the breaker opened before the request, or between it and its retry, and where the answer is about
   * settings that are no longer in force.
   */
  async #execute(send: () => Promise<Answer>, how?: SendOptions): Promise<Answer | undefined> {
    try {
      return await this.#policy.execute(send, how)
    } catch (error) {
      if (error instanceof BrokenCircuitError) return undefined
      if (!(error instanceof SupersededError)) throw error
      // To cockatiel an error that it does not handle is a success of the probe: it counts anew.
      if (this.state === 'half_open') this.#policy = probePolicy(this.#settings)
      return undefined
    }
  }

  /** The credential is to blame for an answer that did not count: pauses the destination, as one that counts does. */
  async refuseCredential(status: number | undefined, message: string): Promise<void> {
    if (this.state !== 'closed') return
    await this.#open('paused', message, status).catch((error: unknown) => this.#store.onError(error as Error))
  }

  async #settleSend(answer: Answer | undefined, { counts = () => true }: SendOptions = {}): Promise<void> {
    if (this.state !== 'closed') return // a straggler from before it opened
    if (this.#policy.breaker.state === CircuitState.Open) {
      return this.#open('open', this.#lastFailure.message, this.#lastFailure.status)
    }
    if (answer === undefined) return
    if (answer.kind === 'credential') {
      return counts(answer) ? this.#open('paused', answer.message, answer.status) : undefined
    }
    if (answer.kind === 'rate_limited') return this.#hold(answer.retryAfterMs, answer.message)
    this.#limitedInARow = 0
    if (answer.kind === 'unavailable')
      return this.#store.recordFailures(this.#failures, describeFailure(answer))
    if (this.#failures > 0) {
      this.#failures = 0
      await this.#store.recordFailures(0, undefined)
    }
  }

  async #settleProbe(answer: Answer, { counts = () => true }: SendOptions = {}): Promise<void> {
    if (answer.kind === 'credential') {
      if (counts(answer)) return this.#open('paused', answer.message, answer.status)
      this.#policy = probePolicy(this.#settings) // to cockatiel it was a failure: it counts anew
      return
    }
    if (answer.kind === 'rate_limited') {
      await this.#hold(answer.retryAfterMs, answer.message)
      return this.#open('open', answer.message, 429)
    }
    if (answer.kind === 'unavailable') return this.#open('open', answer.message, answer.status)
    if (this.#policy.breaker.state !== CircuitState.Closed) return
    const reason = `${this.#settings.breaker.successes} successes`
    if (await this.#view.close(() => this.#store.close(reason))) this.#reset()
  }

  async #open(state: 'open' | 'paused', message: string, status: number | undefined): Promise<void> {
    if (this.state === state || this.#view.needsPerson) return
    await this.#view.open(state, this.#settings.breaker.halfOpenAfterMs, () =>
      this.#store.open(state, Math.max(this.#failures, 1), describeFailure({ status, message })),
    )
  }

  async #hold(retryAfterMs: number | undefined, message: string): Promise<void> {
    // Requests that were under way with the first one that was limited: their answers are the same news.
    if (retryAfterMs === undefined && this.#view.isRateLimited) return
    const ms = retryAfterMs ?? Math.min(HOLD_MS.max, HOLD_MS.first * 2 ** this.#limitedInARow)
    this.#limitedInARow++
    await this.#view.rateLimit(ms, () => this.#store.rateLimit(ms, `429: ${message}`))
  }

  #reset(): void {
    this.#failures = 0
    this.#limitedInARow = 0
    this.#policy = this.#closedPolicy()
  }

  #closedPolicy(): Policy {
    return closedPolicy(this.#settings, (failure) => {
      this.#failures++
      this.#lastFailure = failure
    })
  }
}
