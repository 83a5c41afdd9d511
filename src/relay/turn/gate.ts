import type { WireItem } from '../../customerio/transports/transport.ts'
import type { DestinationBreaker, Permit } from '../breaker/breaker.ts'
import { describeFailure } from '../breaker/describe-failure.ts'
import type { FailureHistory } from '../breaker/failure-history.ts'
import type { Coalescer, CoalesceResult } from '../destination/coalescer.ts'
import type { Destination } from '../destination/destinations.ts'
import { waitForToken } from '../destination/wait-for-token.ts'
import type { LaneOutcome } from '../lane-outcome.ts'
import type { LaneContext } from './lane-context.ts'

/** A turn's way to its destination: every request needs a permit of the breaker and a token of the fleet's rate limit. */
export class Gate {
  readonly destination: Destination
  readonly breaker: DestinationBreaker
  readonly settingsAreCurrent: () => boolean
  readonly #coalescer: Coalescer
  readonly #stopping: AbortSignal
  readonly #bulk: boolean

  /** @param bulk Whether the lane is a bulk lane, whose requests take only a share of the rate limit. */
  constructor(
    context: Pick<LaneContext, 'destination' | 'breaker' | 'coalescer' | 'settingsAreCurrent' | 'stopping'>,
    bulk: boolean,
  ) {
    this.destination = context.destination
    this.breaker = context.breaker
    this.settingsAreCurrent = context.settingsAreCurrent
    this.#coalescer = context.coalescer
    this.#stopping = context.stopping
    this.#bulk = bulk
  }

  get history(): FailureHistory {
    return this.breaker.history
  }

  /** Whether ordinary requests may be sent: the breaker is closed, and no 429 limits the destination. */
  get acceptsRequests(): boolean {
    return this.breaker.eligibility() === 'all'
  }

  /** Acquires permit and token for one request, or returns why the turn ends. */
  async acquirePermit(): Promise<Permit | LaneOutcome> {
    const permit = await this.breaker.acquire()
    if (permit === undefined) return { kind: 'handed_back' }
    try {
      const waitMs = await waitForToken(() => this.destination.acquireToken(this.#bulk), this.#stopping)
      if (waitMs === 0) return permit
      this.breaker.release(permit)
      return { kind: 'handed_back', waitMs }
    } catch (error) {
      this.breaker.release(permit)
      throw error
    }
  }

  /**
   * Acquires a permit for an ordinary request, or returns why the turn ends. Gives the probe back, because `pickProbe` must
   * choose the intent of a probe.
   */
  async acquireOrdinaryPermit(): Promise<Permit | LaneOutcome> {
    const permit = await this.acquirePermit()
    if (permit !== 'probe') return permit
    this.breaker.release(permit)
    return { kind: 'handed_back' }
  }

  /** Acquires up to `count` more tokens, without waiting. Returns how many it got. */
  async acquireMore(count: number): Promise<number> {
    for (let more = 0; more < count; more++) {
      if (!this.acceptsRequests || (await this.destination.acquireToken(this.#bulk)) > 0) return more
    }
    return count
  }

  /** Whether a batch may share a request with batches of other lanes. */
  canCoalesce(items: readonly WireItem[]): boolean {
    return !this.#bulk && this.acceptsRequests && this.#coalescer.canJoin(items)
  }

  coalesce(items: readonly WireItem[]): Promise<CoalesceResult> {
    return this.#coalescer.join(items)
  }

  /** How the turn ends after a failed request: with a closed breaker the lane backs off, else it waits for the breaker. */
  endFailed(failure: { readonly status: number | undefined; readonly message: string }): LaneOutcome {
    return this.breaker.state === 'closed'
      ? { kind: 'failed', message: describeFailure(failure) }
      : { kind: 'handed_back' }
  }
}
