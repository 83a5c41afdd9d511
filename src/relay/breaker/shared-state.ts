/*
 * States of a destination's breaker, as one relay knows them:
 *
 *   closed      requests flow
 *   open        failures opened it; a probe may be acquired from `retryAt` on
 *   paused      the credential was refused (a probe may be acquired from `retryAt` on), or an operator paused it (no `retryAt`)
 *   rejecting   most intents were rejected; an operator resumes it
 *   half_open   one relay holds the probe: this relay, or another one until its lease ends
 *
 * Transitions that this relay makes:
 *
 *   closed, half_open        --open-------------->  open
 *   closed, half_open        --pause------------->  paused { retryAt }
 *   closed, half_open        --reject------------>  rejecting
 *   open, paused, half_open  --probeAcquired----->  half_open { probe: mine }
 *   open, paused, half_open  --probeDenied------->  the same state, with a later time for the next try
 *   half_open                --close------------->  closed
 *
 * `apply` takes any other transition from the row: those of other relays and of operators. A rate limit (429) is independent
 * of the state.
 *
 * This relay believes a stop at once, and a close only once the row confirms it. So `open`, `pause`, `reject` and `rateLimit`
 * change the state before they write the row, and `close` changes it after.
 */
import type { BreakerRow, BreakerState } from '../../store/breakers/read-breakers.ts'
import { RowSync } from './row-sync.ts'

/**
 * Which lanes of a destination may start.
 *
 * - `all`: any lane.
 * - `probe`: any lane; the breaker admits one request, the probe.
 * - `none`: no lane.
 */
export type Eligibility = 'all' | 'probe' | 'none'

/** Times are milliseconds by this relay's clock. */
type State =
  | { readonly kind: 'closed' }
  | { readonly kind: 'open'; readonly retryAt: number }
  | { readonly kind: 'paused'; readonly retryAt?: number | undefined }
  | { readonly kind: 'rejecting' }
  | { readonly kind: 'half_open'; readonly probe: Probe }

type Probe = { readonly holder: 'mine' } | { readonly holder: 'other'; readonly until: number }

const CLOSED: State = { kind: 'closed' }
/** Milliseconds between two attempts to acquire a probe that another relay holds. */
const PROBE_DENIED_MS = 500
/** Milliseconds until a row that must be read again is read. */
const READ_AGAIN_MS = 50

/**
 * What one relay knows of a destination's breaker: its row in `outbox.breakers` as last read, and what this relay has
 * changed since. The row holds times by the database's clock. This class converts the remaining time to the relay's clock.
 *
 * It reads nothing itself. A row that another relay or an operator has changed arrives with a full poll of `LaneFinder`,
 * which calls `Breakers.syncWith`, which calls `apply`.
 */
export class SharedState {
  readonly #relayId: string
  readonly #clock: () => number
  readonly #sync = new RowSync()
  #state: State = CLOSED
  #rateLimitedUntil = 0

  /** @param clock Milliseconds. Default: `performance.now`. */
  constructor(relayId: string, clock = () => performance.now()) {
    this.#relayId = relayId
    this.#clock = clock
  }

  get state(): BreakerState {
    return this.#state.kind
  }

  /** Rises with every change that this relay makes. Get it before you query the row, and pass both to `apply`. */
  get generation(): number {
    return this.#sync.generation
  }

  /** Whether the row must be read again: it could not be applied, or it says something else than this relay thought. */
  get mustReadAgain(): boolean {
    return this.#sync.mustReadAgain
  }

  /** Whether this relay holds the probe. */
  get holdsProbe(): boolean {
    return this.#state.kind === 'half_open' && this.#state.probe.holder === 'mine'
  }

  get isRateLimited(): boolean {
    return this.#rateLimitedUntil > this.#clock()
  }

  /** Whether only an operator can resume the destination: an operator has paused it, or most intents were rejected. */
  get needsOperator(): boolean {
    return (
      this.#state.kind === 'rejecting' || (this.#state.kind === 'paused' && this.#state.retryAt === undefined)
    )
  }

  /** Milliseconds until the next try. Undefined: the destination may be tried now, or an operator must resume it. */
  get waitMs(): number | undefined {
    const now = this.#clock()
    const due = Math.max(this.#rateLimitedUntil, this.#probeAt() ?? 0)
    const wait = due > now ? due - now : undefined
    return this.mustReadAgain ? Math.min(wait ?? READ_AGAIN_MS, READ_AGAIN_MS) : wait
  }

  eligibility(): Eligibility {
    if (this.isRateLimited) return 'none'
    if (this.#state.kind === 'closed') return 'all'
    const probeAt = this.#probeAt()
    return probeAt !== undefined && probeAt <= this.#clock() ? 'probe' : 'none'
  }

  /** When this relay may acquire the probe or use the one it holds. Undefined: not at all. */
  #probeAt(): number | undefined {
    const state = this.#state
    switch (state.kind) {
      case 'closed':
      case 'rejecting':
        return undefined
      case 'open':
      case 'paused':
        return state.retryAt
      case 'half_open':
        return state.probe.holder === 'mine' ? 0 : state.probe.until
    }
  }

  /**
   * Replaces what this relay knows by the fleet's row, unless this relay has changed something since the read began.
   *
   * @param row Undefined: there is no row; the breaker is closed.
   * @param generation `generation` at the time when the read began.
   * @returns whether this call closed the breaker.
   */
  apply(row: BreakerRow | undefined, generation: number): boolean {
    if (!this.#sync.accept(generation)) return false
    const before = this.state
    this.#state = row ? this.#stateOf(row) : CLOSED
    this.#rateLimitedUntil = row?.rateLimitedForMs == null ? 0 : this.#clock() + row.rateLimitedForMs
    return before !== 'closed' && this.state === 'closed'
  }

  #stateOf({ state, retryInMs, probeRelay, probeLeftMs }: BreakerRow): State {
    const now = this.#clock()
    const retryAt = retryInMs == null ? undefined : now + retryInMs
    switch (state) {
      case 'open':
        // The row of an open breaker has a time. If it is missing, this relay may try, and the database denies the probe.
        return { kind: 'open', retryAt: retryAt ?? now }
      case 'paused':
        return { kind: 'paused', retryAt }
      case 'half_open':
        if (probeRelay === this.#relayId) return { kind: 'half_open', probe: { holder: 'mine' } }
        return { kind: 'half_open', probe: { holder: 'other', until: now + (probeLeftMs ?? 0) } }
      default:
        return { kind: state }
    }
  }

  /** Records that this relay holds the fleet's one probe. The row says so already. */
  probeAcquired(): void {
    this.#sync.changed()
    this.#state = { kind: 'half_open', probe: { holder: 'mine' } }
  }

  /** Records that the database denied the probe: another relay holds it, or it is not due. The row must be read again. */
  probeDenied(): void {
    this.#sync.invalidate()
    const later = this.#clock() + PROBE_DENIED_MS
    const state = this.#state
    if (state.kind === 'half_open') {
      const until = state.probe.holder === 'other' ? Math.max(state.probe.until, later) : later
      this.#state = { kind: 'half_open', probe: { holder: 'other', until } }
    } else if ((state.kind === 'open' || state.kind === 'paused') && state.retryAt !== undefined) {
      this.#state = { kind: state.kind, retryAt: Math.max(state.retryAt, later) }
    }
  }

  /**
   * Opens the breaker after failures. `write` changes the row.
   *
   * @returns what `write` returns.
   */
  open<T>(retryInMs: number, write: () => Promise<T>): Promise<T> {
    this.#state = { kind: 'open', retryAt: this.#clock() + retryInMs }
    return this.#sync.write(write)
  }

  /**
   * Pauses the destination after a refused credential. `write` changes the row.
   *
   * @returns what `write` returns.
   */
  pause<T>(retryInMs: number, write: () => Promise<T>): Promise<T> {
    this.#state = { kind: 'paused', retryAt: this.#clock() + retryInMs }
    return this.#sync.write(write)
  }

  /**
   * Stops the destination after most intents were rejected, until an operator resumes it. `write` changes the row.
   *
   * @returns what `write` returns.
   */
  reject<T>(write: () => Promise<T>): Promise<T> {
    this.#state = { kind: 'rejecting' }
    return this.#sync.write(write)
  }

  /** Stops requests for `ms` after a 429, in every state. `write` changes the row. */
  async rateLimit(ms: number, write: () => Promise<unknown>): Promise<void> {
    this.#rateLimitedUntil = Math.max(this.#rateLimitedUntil, this.#clock() + ms)
    await this.#sync.write(write)
  }

  /**
   * Closes the breaker if `write`, which changes the row, found this relay's probe in it. If an operator or another relay
   * changed the row meanwhile, the state stays until the next row is applied.
   *
   * @returns whether the breaker has closed.
   */
  async close(write: () => Promise<boolean>): Promise<boolean> {
    if (!(await this.#sync.write(write))) return false
    this.#state = CLOSED
    return true
  }
}
