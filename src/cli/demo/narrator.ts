import type { FakeCustomerIo } from '../../testing/fake/fake-customerio.ts'
import { age, count } from '../output/format.ts'
import type { Fleet } from './fleet.ts'
import type { Sight } from './monitor.ts'
import type { Screen } from './screen.ts'
import type { Shop } from './shop/shop.ts'

export interface NarratorOptions {
  readonly screen: Screen
  readonly shop: Shop
  readonly fake: FakeCustomerIo
  readonly fleet: Fleet
  readonly intents: number
}

/** Puts what happens into words and numbers for the screen. */
export class Narrator {
  readonly #options: NarratorOptions
  readonly #begin = performance.now()
  #now = 'business as usual'
  #wasClosed = true

  constructor(options: NarratorOptions) {
    this.#options = options
  }

  /** Something has happened. */
  readonly event = (text: string): void => {
    this.#options.screen.event(this.#elapsedMs, text)
  }

  /** What happens from now on. */
  readonly now = (text: string): void => {
    this.#now = text
  }

  show(sight: Sight): void {
    this.#tellBreaker(sight)
    const { screen, shop, fake, fleet, intents } = this.#options
    const alive = fleet.relays.filter((relay) => relay.alive)
    screen.update({
      elapsedMs: this.#elapsedMs,
      target: intents,
      committed: shop.committed,
      delivered: Math.min(fake.counts.applied, shop.committed),
      backlog: sight.pending,
      oldest: sight.pending > 0 ? age(sight.lagSeconds) : '',
      breaker: breakerInWords(sight),
      breakerIsClosed: (sight.breaker?.state ?? 'closed') === 'closed',
      relays: `${alive.length} of ${fleet.relays.length} alive`,
      now: this.#now,
    })
  }

  get #elapsedMs(): number {
    return performance.now() - this.#begin
  }

  #tellBreaker({ breaker, pending }: Sight): void {
    const isClosed = (breaker?.state ?? 'closed') === 'closed'
    if (isClosed === this.#wasClosed) return
    this.#wasClosed = isClosed
    if (isClosed) this.event(`breaker closes: a backlog of ${count(pending)} is sent`)
    else
      this.event(
        `breaker opens after ${breaker?.failureCount} failures in a row: only probes go out, the shop goes on`,
      )
  }
}

function breakerInWords({ breaker }: Sight): string {
  switch (breaker?.state) {
    case 'open':
    case 'paused':
      return breaker.retrySeconds
        ? `${breaker.state}, next probe in ${age(breaker.retrySeconds)}`
        : `${breaker.state}, a probe is due`
    case 'rejecting':
      return 'rejecting, until a person resumes it'
    case 'half_open':
      return 'half open, probing'
    default:
      return 'closed'
  }
}
