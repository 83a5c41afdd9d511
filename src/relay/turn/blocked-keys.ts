import type { QueuedIntent } from '../../store/lanes/queued-intent.ts'
import { ROW_FORMAT } from '../../store/lanes/row-format.ts'

/**
 * The longest wait, in milliseconds, of a lane that has only blocked keys. Then the lane starts again, because other rows may
 * have come.
 */
const MAX_WAIT_MS = 1_000

/**
 * The ordering keys of a lane whose first intent has to wait in this turn: it failed alone and its next attempt is not due, or
 * its row has a newer format. The rest of such a key waits behind it, and all other keys go on.
 */
export class BlockedKeys {
  /** By ordering key: when it is due, by `performance.now()`. */
  readonly #keys = new Map<string, number>()
  readonly #onUnknownFormat: (format: number) => void
  readonly #delayAfter: (attempts: number) => number

  /** @param delayAfter The milliseconds for which an intent waits after this many attempts. */
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

  /**
   * Whether one of the keys is due. If so, a turn without suspects ends, even if it has other work, and the next turn begins
   * with that key.
   */
  get isDue(): boolean {
    return this.#dueAt <= performance.now()
  }

  /** Unblocks the keys that are due. */
  release(): void {
    const now = performance.now()
    for (const [key, dueAt] of this.#keys) if (dueAt <= now) this.#keys.delete(key)
  }

  get #dueAt(): number {
    let first = Number.POSITIVE_INFINITY
    for (const dueAt of this.#keys.values()) first = Math.min(first, dueAt)
    return first
  }

  /** Milliseconds until a lane with nothing but blocked keys is worked again. */
  get waitMs(): number {
    return Math.min(MAX_WAIT_MS, Math.max(1, this.#dueAt - performance.now()))
  }

  has(key: string): boolean {
    return this.#keys.has(key)
  }

  add({ orderingKey }: QueuedIntent, retryInMs: number): void {
    const dueAt = performance.now() + retryInMs
    this.#keys.set(orderingKey, Math.min(this.#keys.get(orderingKey) ?? dueAt, dueAt))
  }

  /**
   * Whether a row must wait. A wait longer than `delayAfter` of its attempts is ignored: the database's clock has stepped
   * back.
   */
  #waits({ retryInMs, attempts }: QueuedIntent): boolean {
    return retryInMs !== null && retryInMs > 0 && retryInMs <= this.#delayAfter(attempts)
  }

  /** Blocks the keys of rows that have to wait, and returns the rows that may be sent now, in order. */
  ready(rows: readonly QueuedIntent[]): readonly QueuedIntent[] {
    for (const row of rows) {
      if (row.format > ROW_FORMAT) {
        if (!this.#keys.has(row.orderingKey)) this.#onUnknownFormat(row.format)
        this.add(row, MAX_WAIT_MS)
      } else if (this.#waits(row)) this.add(row, row.retryInMs ?? 0)
    }
    return this.any ? rows.filter(({ orderingKey }) => !this.#keys.has(orderingKey)) : rows
  }
}
