import { BrokenCircuitError, CircuitState } from 'cockatiel'
import type { Answer } from '../customerio/answer.ts'
import type { BreakerRow, BreakerState } from '../store/read-breakers.ts'
import {
  closedPolicy,
  type Policy,
  type PolicySettings,
  probePolicy,
  type SendOptions,
  type Unavailable,
} from './breaker-policy.ts'
import { Comparison } from './comparison.ts'
import { SupersededError } from './superseded-error.ts'

/** What the breaker tells the fleet through Postgres; resolves when it is written. */
export interface BreakerStore {
  open(state: 'open' | 'paused', failureCount: number, error: string): Promise<boolean>
  acquireProbe(): Promise<boolean>
  close(reason: string): Promise<boolean>
  hold(ms: number, error: string): Promise<void>
  recordFailures(count: number, error: string | undefined): Promise<void>
  /** A change could not be written: the next sync puts this relay right. */
  onError(error: Error): void
}

export type BreakerSettings = PolicySettings

/** Leave to send one request: an ordinary one, or the fleet's one probe. To be used or given back. */
export type Permit = 'send' | 'probe'

/** What the dispatcher may start for a destination: every lane, one that probes, or none. */
export type Eligibility = 'all' | 'probe' | 'none'

/** Between two attempts to get a probe that another relay has. */
const ELSEWHERE_MS = 500
/** Answers of a destination that works. */
const PASSES: ReadonlySet<Answer['kind']> = new Set(['accepted', 'rejected', 'too_large'])
/** Until the row is read again that could not be taken over. */
const STALE_MS = 50
/** Without a `Retry-After`: 1 s, doubled with each 429 in a row, up to a minute. */
const HOLD_MS = { first: 1_000, max: 60_000 }

/**
 * One destination's breaker in one relay: cockatiel counts and samples, the row in `outbox.breakers` says for
 * the whole fleet what the state is, when a probe is due and who holds it.
 */
export class DestinationBreaker {
  readonly #relayId: string
  readonly #settings: BreakerSettings
  readonly #store: BreakerStore
  readonly #clock: () => number
  readonly comparison = new Comparison()
  #policy: Policy
  #state: BreakerState = 'closed'
  #retryAt: number | undefined
  #heldUntil = 0
  #probeIsMine = false
  #probeLeaseUntil = 0
  #probing = false
  /** Another relay was seen to hold the probe: not asked for again before. */
  #elsewhereUntil = 0
  #failures = 0
  #lastFailure: Unavailable = { kind: 'unavailable', status: undefined, outcome: 'not_applied', message: '' }
  #limitedInARow = 0
  /** Raised by every change made here: what was read from the row before it is stale. */
  #generation = 0
  /** Changes that are on their way to the row. */
  #writing = 0
  #stale = false

  constructor(
    relayId: string,
    settings: BreakerSettings,
    store: BreakerStore,
    clock = () => performance.now(),
  ) {
    this.#relayId = relayId
    this.#settings = settings
    this.#store = store
    this.#clock = clock
    this.#policy = this.#closedPolicy()
  }

  get state(): BreakerState {
    return this.#state
  }

  /** Milliseconds to leave between a failure and the next try, by how many have failed in a row. */
  retryDelayMs(failures: number): number {
    return this.#settings.retry.initialDelayMs * 2 ** (failures - 1)
  }

  get generation(): number {
    return this.#generation
  }

  /** Milliseconds until the destination may be tried; undefined while it may be now, or until a person resumes it. */
  get waitMs(): number | undefined {
    const now = this.#clock()
    const due = Math.max(this.#heldUntil, this.#tryableAt())
    const wait = due > now ? due - now : undefined
    return this.#stale ? Math.min(wait ?? STALE_MS, STALE_MS) : wait
  }

  /** Whether the row is to be read again: it could not be taken over, or it says something else than was thought. */
  get stale(): boolean {
    return this.#stale
  }

  #tryableAt(): number {
    if (this.#state === 'closed') return 0
    const leaseUntil = this.#state === 'half_open' && !this.#probeIsMine ? this.#probeLeaseUntil : 0
    return Math.max(this.#retryAt ?? 0, this.#elsewhereUntil, leaseUntil)
  }

  get #pausedByPerson(): boolean {
    return this.#state === 'paused' && this.#retryAt === undefined
  }

  eligibility(): Eligibility {
    const now = this.#clock()
    if (this.#heldUntil > now) return 'none'
    if (this.#state !== 'closed' && this.#elsewhereUntil > now) return 'none'
    if (this.#state === 'closed') return 'all'
    if (this.#probing) return 'none'
    if (this.#state === 'half_open')
      return this.#probeIsMine || this.#probeLeaseUntil <= now ? 'probe' : 'none'
    return this.#retryAt !== undefined && this.#retryAt <= now ? 'probe' : 'none'
  }

  /** Takes over what the fleet says, unless this relay has changed something since it was read. */
  apply(row: BreakerRow | undefined, generation: number): void {
    this.#stale = this.#writing > 0 || generation !== this.#generation
    if (this.#stale) return
    const now = this.#clock()
    const was = this.#state
    this.#state = row?.state ?? 'closed'
    this.#retryAt = row?.retryInMs == null ? undefined : now + row.retryInMs
    this.#heldUntil = row?.heldForMs == null ? 0 : now + row.heldForMs
    this.#probeIsMine = row?.probeRelay === this.#relayId
    this.#probeLeaseUntil = now + (row?.probeLeftMs ?? 0)
    if (was !== 'closed' && this.#state === 'closed') this.#reset()
  }

  /**
   * Asks to send one request. Undefined: hand the lane back, the breaker is open, a hold is on, or another lane
   * or relay has the probe.
   */
  async enter(): Promise<Permit | undefined> {
    const eligibility = this.eligibility()
    if (eligibility === 'none') return undefined
    if (eligibility === 'all') return 'send'
    this.#probing = true
    try {
      const renewed = this.#probeIsMine && this.#state === 'half_open'
      if (!(await this.#store.acquireProbe())) {
        this.#probing = false
        this.#elsewhereUntil = this.#clock() + ELSEWHERE_MS
        this.#stale = true
        return undefined
      }
      this.#generation++
      this.#state = 'half_open'
      this.#probeIsMine = true
      if (!renewed) this.#policy = probePolicy(this.#settings)
      return 'probe'
    } catch (error) {
      this.#probing = false
      throw error
    }
  }

  /** Gives back a permit that was not used. */
  giveBack(permit: Permit): void {
    if (permit === 'probe') this.#probing = false
  }

  /**
   * Runs one request under retry and breaker, and writes down what it came to. Undefined: the breaker opened
   * meanwhile and nothing was sent.
   */
  async run(permit: Permit, send: () => Promise<Answer>, how?: SendOptions): Promise<Answer | undefined> {
    try {
      const answer = await this.#execute(() => this.#sendIfLet(permit, send), how)
      if (answer && PASSES.has(answer.kind)) this.comparison.pass()
      // What the request came to is known, whether or not it can be written down for the fleet.
      const written = permit === 'probe' && answer ? this.#settleProbe(answer) : this.#settleSend(answer)
      await written.catch((error: unknown) => this.#store.onError(error as Error))
      return answer
    } finally {
      this.giveBack(permit)
    }
  }

  /**
   * A permit was given some time ago, and a retry comes later still: no request begins once the destination was
   * paused, or opened, by another relay or a person.
   */
  #sendIfLet(permit: Permit, send: () => Promise<Answer>): Promise<Answer> {
    const state = permit === 'probe' ? 'half_open' : 'closed'
    return this.#state === state ? send() : Promise.reject(new BrokenCircuitError())
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
      if (this.#state === 'half_open') this.#policy = probePolicy(this.#settings)
      return undefined
    }
  }

  async #settleSend(answer: Answer | undefined): Promise<void> {
    if (this.#state !== 'closed') return // a straggler from before it opened
    if (this.#policy.breaker.state === CircuitState.Open) {
      return this.#open('open', this.#lastFailure.message, this.#lastFailure.status)
    }
    if (answer === undefined) return
    if (answer.kind === 'credential') return this.#open('paused', answer.message, answer.status)
    if (answer.kind === 'rate_limited') return this.#hold(answer.retryAfterMs, answer.message)
    this.#limitedInARow = 0
    if (answer.kind === 'unavailable') return this.#store.recordFailures(this.#failures, describe(answer))
    if (this.#failures > 0) {
      this.#failures = 0
      await this.#store.recordFailures(0, undefined)
    }
  }

  async #settleProbe(answer: Answer): Promise<void> {
    if (answer.kind === 'credential') return this.#open('paused', answer.message, answer.status)
    if (answer.kind === 'rate_limited') {
      await this.#hold(answer.retryAfterMs, answer.message)
      return this.#open('open', answer.message, 429)
    }
    if (answer.kind === 'unavailable') return this.#open('open', answer.message, answer.status)
    if (this.#policy.breaker.state !== CircuitState.Closed) return
    this.#generation++
    const closed = await this.#store.close(`${this.#settings.breaker.successes} successes`)
    if (!closed) return // a person, or another relay, has changed the row meanwhile: the next sync tells
    this.#state = 'closed'
    this.#reset()
  }

  async #open(state: 'open' | 'paused', message: string, status: number | undefined): Promise<void> {
    if (this.#state === state || this.#pausedByPerson) return
    this.#generation++
    this.#state = state
    this.#probeIsMine = false
    this.#retryAt = this.#clock() + this.#settings.breaker.halfOpenAfterMs
    await this.#write(() =>
      this.#store.open(state, Math.max(this.#failures, 1), describe({ status, message })),
    )
  }

  async #hold(retryAfterMs: number | undefined, message: string): Promise<void> {
    // Requests that were under way with the first one that was limited: their answers are the same news.
    if (retryAfterMs === undefined && this.#heldUntil > this.#clock()) return
    const ms = retryAfterMs ?? Math.min(HOLD_MS.max, HOLD_MS.first * 2 ** this.#limitedInARow)
    this.#limitedInARow++
    this.#generation++
    this.#heldUntil = Math.max(this.#heldUntil, this.#clock() + ms)
    await this.#write(() => this.#store.hold(ms, `429: ${message}`))
  }

  /** What is read from the row before the change is in it is stale, also where the reading began after the change. */
  async #write(change: () => Promise<unknown>): Promise<void> {
    this.#writing++
    try {
      await change()
    } finally {
      this.#writing--
      this.#generation++
    }
  }

  #reset(): void {
    this.#probeIsMine = false
    this.#failures = 0
    this.#limitedInARow = 0
    this.#retryAt = undefined
    this.#policy = this.#closedPolicy()
  }

  #closedPolicy(): Policy {
    return closedPolicy(this.#settings, (failure) => {
      this.#failures++
      this.#lastFailure = failure
    })
  }
}

function describe({ status, message }: { status?: number | undefined; message: string }): string {
  return status === undefined ? message : `${status}: ${message}`
}
