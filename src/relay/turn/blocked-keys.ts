import { type QueuedIntent, ROW_FORMAT } from '../../store/lanes/read-lane.ts'

/** What waits longer than this is looked at again all the same: others of its lane have come meanwhile. */
const LOOK_AGAIN_MS = 1_000

/**
 * The ordering keys of a lane whose first intent has to wait in this turn: it failed alone and has its next
 * attempt ahead, or its row's format is of a newer version. What follows of such a key waits behind it, and
 * everybody else's goes on.
 */
export class BlockedKeys {
  /** When each may go, by `performance.now()`. */
  readonly #keys = new Map<string, number>()
  readonly #onUnknownFormat: (format: number) => void
  readonly #delayAfter: (attempts: number) => number

  /** @param delayAfter Milliseconds that an intent waits after so many attempts. */
  constructor(onUnknownFormat: (format: number) => void, delayAfter: (attempts: number) => number) {
    this.#onUnknownFormat = onUnknownFormat
    this.#delayAfter = delayAfter
  }

  get any(): boolean {
    return this.#keys.size > 0
  }

  get keys(): ReadonlySet<string> {
    return new Set(this.#keys.keys())
  }

  /** Whether one of them has waited long enough: a turn that has other work ends here, and the next one begins with it. */
  get isDue(): boolean {
    return this.#dueAt <= performance.now()
  }

  /** Lets those go that have waited long enough. */
  release(): void {
    const now = performance.now()
    for (const [key, dueAt] of this.#keys) if (dueAt <= now) this.#keys.delete(key)
  }

  get #dueAt(): number {
    let first = Number.POSITIVE_INFINITY
    for (const dueAt of this.#keys.values()) first = Math.min(first, dueAt)
    return first
  }

  /** How long the lane may be left alone where nothing but waiting keys is in it. */
  get waitMs(): number {
    return Math.min(LOOK_AGAIN_MS, Math.max(1, this.#dueAt - performance.now()))
  }

  has(key: string): boolean {
    return this.#keys.has(key)
  }

  add({ orderingKey }: QueuedIntent, retryInMs: number): void {
    const dueAt = performance.now() + retryInMs
    this.#keys.set(orderingKey, Math.min(this.#keys.get(orderingKey) ?? dueAt, dueAt))
  }

  /** A wait that is longer than any after so many attempts was set before the database's clock stepped back: it is over. */
  #waits({ retryInMs, attempts }: QueuedIntent): boolean {
    return retryInMs !== null && retryInMs > 0 && retryInMs <= this.#delayAfter(attempts)
  }

  /** Of rows in order, those that may go now. */
  ready(rows: readonly QueuedIntent[]): readonly QueuedIntent[] {
    for (const row of rows) {
      if (row.format > ROW_FORMAT) {
        if (!this.#keys.has(row.orderingKey)) this.#onUnknownFormat(row.format)
        this.add(row, LOOK_AGAIN_MS)
      } else if (this.#waits(row)) this.add(row, row.retryInMs ?? 0)
    }
    return this.any ? rows.filter(({ orderingKey }) => !this.#keys.has(orderingKey)) : rows
  }
}
