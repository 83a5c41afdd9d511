import type { BreakerRow, BreakerState } from '../../store/breakers/read-breakers.ts'

/** What the dispatcher may start for a destination: every lane, one that probes, or none. */
export type Eligibility = 'all' | 'probe' | 'none'

/** What stops a destination: failures, a refused credential, or rejections of most intents. */
export type Opened = Exclude<BreakerState, 'closed' | 'half_open'>

/** Between two attempts to get a probe that another relay has. */
const ELSEWHERE_MS = 500
/** Until the row is read again that could not be taken over. */
const STALE_MS = 50

/**
 * What one relay knows of a destination's breaker: its row in `outbox.breakers` as it was read last, and what this
 * relay has changed since. Times are the relay's own, from what was left by the database's clock.
 */
export class SharedState {
  readonly #relayId: string
  readonly #clock: () => number
  #state: BreakerState = 'closed'
  #retryAt: number | undefined
  #heldUntil = 0
  #probeIsMine = false
  #probeLeaseUntil = 0
  /** Another relay was seen to hold the probe: not asked for again before. */
  #elsewhereUntil = 0
  /** Raised by every change made here: what was read from the row before it is stale. */
  #generation = 0
  /** Changes that are on their way to the row. */
  #writing = 0
  #stale = false

  constructor(relayId: string, clock: () => number) {
    this.#relayId = relayId
    this.#clock = clock
  }

  get state(): BreakerState {
    return this.#state
  }

  get generation(): number {
    return this.#generation
  }

  /** Whether the row is to be read again: it could not be taken over, or it says something else than was thought. */
  get stale(): boolean {
    return this.#stale
  }

  get probeIsMine(): boolean {
    return this.#probeIsMine
  }

  get isRateLimited(): boolean {
    return this.#heldUntil > this.#clock()
  }

  /** A person has paused it, or most intents were rejected: only a person resumes it. */
  get needsPerson(): boolean {
    return this.#state === 'rejecting' || (this.#state === 'paused' && this.#retryAt === undefined)
  }

  /** Milliseconds until the destination may be tried; undefined while it may be now, or until a person resumes it. */
  get waitMs(): number | undefined {
    const now = this.#clock()
    const due = Math.max(this.#heldUntil, this.#tryableAt())
    const wait = due > now ? due - now : undefined
    return this.#stale ? Math.min(wait ?? STALE_MS, STALE_MS) : wait
  }

  #tryableAt(): number {
    if (this.#state === 'closed') return 0
    const leaseUntil = this.#state === 'half_open' && !this.#probeIsMine ? this.#probeLeaseUntil : 0
    return Math.max(this.#retryAt ?? 0, this.#elsewhereUntil, leaseUntil)
  }

  eligibility(): Eligibility {
    const now = this.#clock()
    if (this.#heldUntil > now) return 'none'
    if (this.#state === 'closed') return 'all'
    if (this.#elsewhereUntil > now) return 'none'
    if (this.#state === 'half_open')
      return this.#probeIsMine || this.#probeLeaseUntil <= now ? 'probe' : 'none'
    return this.#retryAt !== undefined && this.#retryAt <= now ? 'probe' : 'none'
  }

  /**
   * Takes over what the fleet says, unless this relay has changed something since it was read.
   *
   * @returns whether it has closed.
   */
  apply(row: BreakerRow | undefined, generation: number): boolean {
    this.#stale = this.#writing > 0 || generation !== this.#generation
    if (this.#stale) return false
    const now = this.#clock()
    const was = this.#state
    this.#state = row?.state ?? 'closed'
    this.#retryAt = row?.retryInMs == null ? undefined : now + row.retryInMs
    this.#heldUntil = row?.rateLimitedForMs == null ? 0 : now + row.rateLimitedForMs
    this.#probeIsMine = row?.probeRelay === this.#relayId
    this.#probeLeaseUntil = now + (row?.probeLeftMs ?? 0)
    return was !== 'closed' && this.#state === 'closed'
  }

  probeElsewhere(): void {
    this.#elsewhereUntil = this.#clock() + ELSEWHERE_MS
    this.#stale = true
  }

  probeAcquired(): void {
    this.#generation++
    this.#state = 'half_open'
    this.#probeIsMine = true
  }

  /** `write` tells the fleet. Without `retryInMs` a person resumes it. */
  async open<T>(state: Opened, retryInMs: number | undefined, write: () => Promise<T>): Promise<T> {
    this.#generation++
    this.#state = state
    this.#probeIsMine = false
    this.#retryAt = retryInMs === undefined ? undefined : this.#clock() + retryInMs
    return this.#change(write)
  }

  /** `write` tells the fleet. */
  async rateLimit(ms: number, write: () => Promise<unknown>): Promise<void> {
    this.#generation++
    this.#heldUntil = Math.max(this.#heldUntil, this.#clock() + ms)
    await this.#change(write)
  }

  /**
   * Closes it where `write`, which tells the fleet, has found the row as it was thought to be: a person or another relay
   * may have changed it meanwhile, and the next row read tells of that.
   */
  async close(write: () => Promise<boolean>): Promise<boolean> {
    this.#generation++
    if (!(await this.#change(write))) return false
    this.#state = 'closed'
    this.#probeIsMine = false
    this.#retryAt = undefined
    return true
  }

  /** What is read from the row before the change is in it is stale, also where the reading began after the change. */
  async #change<T>(write: () => Promise<T>): Promise<T> {
    this.#writing++
    try {
      return await write()
    } finally {
      this.#writing--
      this.#generation++
    }
  }
}
