import { count, duration } from '../output/format.ts'
import type { Fleet } from './processes/fleet.ts'
import type { LogEntry } from './processes/relay-process.ts'
import type { Progress } from './read-progress.ts'
import type { Screen } from './screen.ts'

export interface NarratorOptions {
  readonly screen: Screen
  readonly fleet: Pick<Fleet, 'alive' | 'size'>
  /** Intents that the shop will commit. */
  readonly intents: number
}

/** Turns events and progress into words and numbers on the screen. */
export class Narrator {
  readonly #options: NarratorOptions
  readonly #begin = performance.now()
  #now = 'business as usual'
  #isBreakerClosed = true
  #breakerChangedAt = 0
  #backlog = 0

  constructor(options: NarratorOptions) {
    this.#options = options
  }

  /** Prints an event. */
  readonly event = (text: string): void => {
    this.#options.screen.event(performance.now() - this.#begin, text)
  }

  /** Sets the line that says what happens at present. */
  readonly now = (text: string): void => {
    this.#now = text
  }

  /**
   * Prints that the breaker opens or closes, as soon as one relay logs the change. The other relay logs the same change
   * later, when it learns of it. That line is ignored.
   */
  readonly log = ({ message, to }: LogEntry): void => {
    if (message !== 'breaker changed') return
    if (to === 'open' && this.#isBreakerClosed) {
      this.#setBreaker(false)
      this.event('the breaker opens after 5 failures in a row: only probes go out')
    }
    if (to === 'closed' && !this.#isBreakerClosed) {
      this.#setBreaker(true)
      this.event(`the breaker closes: a backlog of ${count(this.#backlog)} goes out`)
    }
  }

  /** Shows the progress, unless its read began before the last change of the breaker: it would show the old state. */
  show(progress: Progress, begunAt: number): void {
    this.#backlog = progress.backlog
    if (begunAt < this.#breakerChangedAt) return
    const { screen, fleet, intents } = this.#options
    screen.update({
      elapsedMs: performance.now() - this.#begin,
      target: intents,
      committed: progress.committed,
      delivered: progress.delivered,
      backlog: progress.backlog,
      oldest: progress.backlog > 0 ? duration(progress.lagSeconds * 1_000) : '',
      breaker: describeBreaker(progress),
      breakerIsClosed: (progress.breaker?.state ?? 'closed') === 'closed',
      relaysAlive: fleet.alive,
      relays: fleet.size,
      now: this.#now,
    })
  }

  #setBreaker(isClosed: boolean): void {
    this.#isBreakerClosed = isClosed
    this.#breakerChangedAt = performance.now()
  }
}

function describeBreaker({ breaker }: Progress): string {
  switch (breaker?.state) {
    case 'open':
    case 'paused':
      return breaker.retrySeconds
        ? `${breaker.state}, next probe in ${duration(breaker.retrySeconds * 1_000)}`
        : `${breaker.state}, probe is due`
    case 'rejecting':
      return 'rejecting until resumed'
    case 'half_open':
      return 'half open, probing'
    default:
      return 'closed'
  }
}
