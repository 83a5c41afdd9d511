import { setTimeout as delay } from 'node:timers/promises'
import type { Answer } from '../../customerio/answers/answer.ts'
import type { WireItem } from '../../customerio/transports/transport.ts'
import type { CutLimits } from './cut-batch.ts'
import type { DestinationBreaker } from '../breaker/breaker.ts'
import type { Destination } from './destinations.ts'
import { mayBlameContent } from '../../customerio/answers/may-blame-content.ts'
import type { LaneOutcome } from '../lane-outcome.ts'
import { MAX_SLEEP_MS } from './rate-limiter.ts'

/** What became of a lane's batch that might go together with those of others. */
export type CoalesceResult =
  /** Customer.io has taken it, but for what it refused of it. */
  | { readonly kind: 'accepted'; readonly answer: Accepted }
  /** Nobody else was there: leave to send it alone. */
  | { readonly kind: 'alone' }
  /** It needs leave to be sent alone: it was not sent, or the request that it went with came to something else. */
  | { readonly kind: 'again'; readonly answer?: Answer | undefined }
  | LaneOutcome

type Accepted = Extract<Answer, { readonly kind: 'accepted' }>

interface PendingBatch {
  readonly items: readonly WireItem[]
  readonly bytes: number
  readonly resolve: (joined: CoalesceResult) => void
  readonly reject: (error: unknown) => void
}

/**
 * Small batches of several lanes that wait for the destination's rate limit at the same time leave in one request: with
 * one each, 16 lanes with an event each would use up a sixth of the limit of a second.
 *
 * Only what was accepted is divided among them. Every other outcome may be somebody's own, and is found out by sending
 * each batch alone; so what a lane does with a failure knows nothing of others.
 */
export class Coalescer {
  readonly #destination: Destination
  readonly #breaker: DestinationBreaker
  readonly #limits: CutLimits
  readonly #stopping: AbortSignal
  #waiting: PendingBatch[] = []
  #leaving = false

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

  /** Whether others may come along: nothing that travels alone, and room for as much again. */
  canJoin(items: readonly WireItem[]): boolean {
    if (items.some(({ barrier, batchable }) => barrier || !batchable)) return false
    return items.length <= this.#limits.count / 2 && bytesOf(items) <= this.#limits.bytes / 2
  }

  /** Resolves when the batch was sent, or may be. */
  join(items: readonly WireItem[]): Promise<CoalesceResult> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ items, bytes: bytesOf(items), resolve, reject })
      void this.#leave()
    })
  }

  async #leave(): Promise<void> {
    if (this.#leaving) return
    this.#leaving = true
    try {
      while (this.#waiting.length > 0) {
        const waitMs = await this.#destination.acquireToken(false)
        if (waitMs === 0) this.#depart(this.#next())
        else if (waitMs > MAX_SLEEP_MS || this.#stopping.aborted) {
          for (const { resolve } of this.#waiting.splice(0)) resolve({ kind: 'handed_back', waitMs })
        } else await delay(waitMs)
      }
    } catch (error) {
      for (const { reject } of this.#waiting.splice(0)) reject(error)
    } finally {
      this.#leaving = false
    }
  }

  /** In the order in which they came, as many as fit. */
  #next(): PendingBatch[] {
    let count = 0
    let bytes = -1 // no comma before the first
    const end = this.#waiting.findIndex((each) => {
      count += each.items.length
      bytes += each.bytes + 1
      return count > this.#limits.count || bytes > this.#limits.bytes
    })
    return this.#waiting.splice(0, end === -1 ? this.#waiting.length : end)
  }

  #depart(passengers: readonly PendingBatch[]): void {
    // The breaker may have opened, or a 429 held the destination, while they waited.
    if (this.#breaker.eligibility() !== 'all')
      for (const { resolve } of passengers) resolve({ kind: 'again' })
    else if (passengers.length === 1) passengers[0]?.resolve({ kind: 'alone' })
    else {
      this.#send(passengers).catch((error) => {
        for (const { reject } of passengers) reject(error)
      })
    }
  }

  async #send(passengers: readonly PendingBatch[]): Promise<void> {
    const items = passengers.flatMap((each) => each.items)
    const answer = await this.#breaker.run('send', () => this.#destination.transport.send(items), {
      retries: 'never',
      // An answer of the service itself may be about one of them: each lane's own request counts then.
      counts: (failure) => !mayBlameContent(failure),
    })
    let from = 0
    for (const { items, resolve } of passengers) {
      const to = from + items.length
      resolve(
        answer?.kind === 'accepted'
          ? { kind: 'accepted', answer: part(answer, from, to) }
          : { kind: 'again', answer },
      )
      from = to
    }
  }
}

/** What an answer says of the operations `from` to `to`, by their places among these. */
function part({ refused, ...answer }: Accepted, from: number, to: number): Accepted {
  const own = refused.filter(({ index }) => index >= from && index < to)
  return { ...answer, refused: own.map((each) => ({ ...each, index: each.index - from })) }
}

/** At most, with a comma between each two. */
function bytesOf(items: readonly WireItem[]): number {
  return items.reduce((sum, { maxBytes }) => sum + maxBytes + 1, -1)
}
