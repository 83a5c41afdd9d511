import type { Answer } from '../../customerio/answers/answer.ts'
import type { WireItem } from '../../customerio/transports/transport.ts'
import type { CutLimits } from './cut-batch.ts'
import type { DestinationBreaker } from '../breaker/breaker.ts'
import type { Destination } from './destinations.ts'
import { mayBlameContent } from '../../customerio/answers/may-blame-content.ts'
import type { LaneOutcome } from '../lane-outcome.ts'
import { waitForToken } from './wait-for-token.ts'

/** What became of a lane's batch that could share a request with batches of other lanes. */
export type CoalesceResult =
  /** Customer.io has accepted the batch, except for the operations that `answer` lists. */
  | { readonly kind: 'accepted'; readonly answer: Accepted }
  /** No other batch was waiting: the lane holds a token, and sends its batch alone. */
  | { readonly kind: 'send_alone' }
  /**
   * The batch was not sent, or the shared request was not accepted: the lane acquires a permit of its own and sends its batch
   * alone.
   */
  | { readonly kind: 'retry_alone'; readonly answer?: Answer | undefined }
  | LaneOutcome

type Accepted = Extract<Answer, { readonly kind: 'accepted' }>

interface PendingBatch {
  readonly items: readonly WireItem[]
  readonly bytes: number
  readonly resolve: (result: CoalesceResult) => void
  readonly reject: (error: unknown) => void
}

/**
 * Combines small batches of several lanes that wait for the destination's rate limit at the same time into one request. With
 * one request each, 16 lanes with one event each would use up a sixth of a second's limit.
 *
 * The coalescer divides only accepted answers among the lanes. Any other answer may be about the batch of one lane. So after
 * it each lane sends its batch alone, and attributes a failure without regard to other lanes.
 */
export class Coalescer {
  readonly #destination: Destination
  readonly #breaker: DestinationBreaker
  readonly #limits: CutLimits
  readonly #stopping: AbortSignal
  #queue: PendingBatch[] = []
  #draining = false

  constructor(
    destination: Destination,
    breaker: DestinationBreaker,
    batchSize: number,
    stopping: AbortSignal,
  ) {
    const { limits } = destination.transport
    this.#destination = destination
    this.#breaker = breaker
    this.#limits = { ...limits, count: Math.min(batchSize, limits.count) }
    this.#stopping = stopping
  }

  /** Whether a batch may share a request: none of its items travels alone, and it leaves room for another of its size. */
  canJoin(items: readonly WireItem[]): boolean {
    if (items.some(({ barrier, batchable }) => barrier || !batchable)) return false
    return items.length <= this.#limits.count / 2 && bytesOf(items) <= this.#limits.bytes / 2
  }

  /** Resolves with what became of the batch, once it was sent, the lane may send it alone, or the turn must end. */
  join(items: readonly WireItem[]): Promise<CoalesceResult> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ items, bytes: bytesOf(items), resolve, reject })
      void this.#drainQueue()
    })
  }

  async #drainQueue(): Promise<void> {
    if (this.#draining) return
    this.#draining = true
    try {
      while (this.#queue.length > 0) {
        const waitMs = await waitForToken(() => this.#destination.acquireToken(false), this.#stopping)
        if (waitMs === 0) this.#flush(this.#takeNext())
        else for (const { resolve } of this.#queue.splice(0)) resolve({ kind: 'handed_back', waitMs })
      }
    } catch (error) {
      for (const { reject } of this.#queue.splice(0)) reject(error)
    } finally {
      this.#draining = false
    }
  }

  /** As many batches as fit into one request, in the order in which they came. */
  #takeNext(): PendingBatch[] {
    let count = 0
    let bytes = -1 // no comma before the first
    const end = this.#queue.findIndex((each) => {
      count += each.items.length
      bytes += each.bytes + 1
      return count > this.#limits.count || bytes > this.#limits.bytes
    })
    return this.#queue.splice(0, end === -1 ? this.#queue.length : end)
  }

  #flush(batches: readonly PendingBatch[]): void {
    // While the batches waited, the breaker may have opened, or a 429 may have limited the destination.
    if (this.#breaker.eligibility() !== 'all')
      for (const { resolve } of batches) resolve({ kind: 'retry_alone' })
    else if (batches.length === 1) batches[0]?.resolve({ kind: 'send_alone' })
    else {
      this.#send(batches).catch((error) => {
        for (const { reject } of batches) reject(error)
      })
    }
  }

  async #send(batches: readonly PendingBatch[]): Promise<void> {
    const items = batches.flatMap((each) => each.items)
    const answer = await this.#breaker.run('send', () => this.#destination.transport.send(items), {
      retries: 'never',
      // A failure that may be about the content of one batch does not count. If the destination is to blame, the lanes' own
      // requests count.
      counts: (failure) => !mayBlameContent(failure),
    })
    let from = 0
    for (const { items, resolve } of batches) {
      const to = from + items.length
      resolve(
        answer?.kind === 'accepted'
          ? { kind: 'accepted', answer: part(answer, from, to) }
          : { kind: 'retry_alone', answer },
      )
      from = to
    }
  }
}

/** The part of an answer for the operations `from` to `to` − 1, with indexes counted from `from`. */
function part({ refused, ...answer }: Accepted, from: number, to: number): Accepted {
  const own = refused.filter(({ index }) => index >= from && index < to)
  return { ...answer, refused: own.map((each) => ({ ...each, index: each.index - from })) }
}

/** The most bytes that the items take in a request, with a comma between each two. */
function bytesOf(items: readonly WireItem[]): number {
  return items.reduce((sum, { maxBytes }) => sum + maxBytes + 1, -1)
}
