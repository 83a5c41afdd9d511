import type { Database } from '../../store/connection/database.ts'
import { type BreakerRow, type BreakerState, readBreakers } from '../../store/breakers/read-breakers.ts'
import { type BreakerSettings, DestinationBreaker } from './breaker.ts'
import { breakerStore } from './breaker-store.ts'

export interface BreakersOptions {
  readonly db: Database
  readonly relayId: string
  /** The destinations that the relay serves. */
  readonly destinations: () => readonly string[]
  readonly settings: BreakerSettings & { readonly requestTimeoutMs: number }
  /** `from` is undefined if this relay did not know the breaker before. */
  readonly onChange: (destination: string, from: BreakerState | undefined, to: BreakerState) => void
  readonly onError: (error: Error) => void
}

/** The breakers of every destination that this relay serves, synchronized with the fleet's rows. */
export class Breakers {
  readonly #options: BreakersOptions
  readonly #breakers = new Map<string, DestinationBreaker>()
  readonly #seen = new Map<string, BreakerState>()

  constructor(options: BreakersOptions) {
    this.#options = options
  }

  get(destination: string): DestinationBreaker {
    const known = this.#breakers.get(destination)
    if (known) return known
    this.#seen.set(destination, 'closed')
    return this.#create(destination)
  }

  #create(destination: string): DestinationBreaker {
    const { relayId, settings } = this.#options
    const store = breakerStore(this.#options, destination, () => this.report())
    const breaker = new DestinationBreaker(relayId, settings, store)
    this.#breakers.set(destination, breaker)
    return breaker
  }

  /** Reads the fleet's rows, and applies them. */
  async sync(): Promise<void> {
    await this.syncWith((destinations) => readBreakers(this.#options.db, destinations))
  }

  /**
   * Applies the rows that `read` returns, if it returns any. A row replaces what this relay knows, unless it is older than this
   * relay's own change.
   *
   * @param read Receives the destinations to read: those that the relay serves, and those that it served before.
   */
  async syncWith(
    read: (destinations: readonly string[]) => Promise<readonly BreakerRow[] | undefined>,
  ): Promise<void> {
    const generations = new Map([...this.#breakers].map(([name, breaker]) => [name, breaker.generation]))
    const found = await read([...new Set([...this.#options.destinations(), ...this.#breakers.keys()])])
    if (!found) return
    const rows = new Map(found.map((row) => [row.destination, row]))
    for (const destination of new Set([...rows.keys(), ...this.#breakers.keys()])) {
      const breaker = this.#breakers.get(destination) ?? this.#create(destination)
      breaker.apply(rows.get(destination), generations.get(destination) ?? breaker.generation)
    }
    this.report()
  }

  /** Reports the states that have changed since the last report. */
  report(): void {
    for (const [destination, breaker] of this.#breakers) {
      const from = this.#seen.get(destination)
      this.#seen.set(destination, breaker.state)
      if ((from ?? 'closed') !== breaker.state) this.#options.onChange(destination, from, breaker.state)
    }
  }

  /** Whether the row of any breaker must be read again. */
  get mustReadAgain(): boolean {
    return [...this.#breakers.values()].some((breaker) => breaker.mustReadAgain)
  }

  /** Milliseconds until the first waiting destination may be tried. Undefined: none waits. */
  get waitMs(): number | undefined {
    const waits = [...this.#breakers.values()]
      .map((breaker) => breaker.waitMs)
      .filter((ms) => ms !== undefined)
    return waits.length > 0 ? Math.min(...waits) : undefined
  }
}
