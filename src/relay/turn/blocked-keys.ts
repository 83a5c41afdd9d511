import type { QueuedIntent } from '../../store/lanes/queued-intent.ts'
import { ENCRYPTED_FORMAT, ROW_FORMAT } from '../../store/lanes/row-format.ts'

/**
 * The longest wait, in milliseconds, of a lane that has only blocked keys. Then the lane starts again, because other rows may
 * have come.
 */
const MAX_WAIT_MS = 1_000

/** Is told of rows that this relay cannot read. */
export interface UnreadableRows {
  readonly onUnknownFormat: (format: number) => void
  readonly onUnknownKey: (key: string) => void
}

/**
 * The ordering keys of a lane whose first intent has to wait in this turn: it failed alone and its next attempt is not due, or
 * its row has a newer format, or the relay lacks the key of its payload. The rest of such a key waits behind it, and all other keys go on.
 */
export class BlockedKeys {
  /** By ordering key: when it is due, by `performance.now()`. */
  readonly #keys = new Map<string, number>()
  readonly #report: UnreadableRows
  readonly #delayAfter: (attempts: number) => number

  /** @param delayAfter The milliseconds for which an intent waits after this many attempts. */
  constructor(report: UnreadableRows, delayAfter: (attempts: number) => number) {
    this.#report = report
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

  /** The report about a row that this relay cannot read. Undefined for every other row. */
  #unreadable(row: QueuedIntent): (() => void) | undefined {
    if (row.format > ROW_FORMAT) return () => this.#report.onUnknownFormat(row.format)
    if (row.format !== ENCRYPTED_FORMAT) return undefined
    const { content } = row
    return content.form === 'locked' ? () => this.#report.onUnknownKey(content.key) : undefined
  }

  /** Blocks the keys of rows that have to wait, and returns the rows that may be sent now, in order. */
  ready(rows: readonly QueuedIntent[]): readonly QueuedIntent[] {
    for (const row of rows) {
      const lacking = this.#unreadable(row)
      if (lacking) {
        if (!this.#keys.has(row.orderingKey)) lacking()
        this.add(row, MAX_WAIT_MS)
      } else if (this.#waits(row)) this.add(row, row.retryInMs ?? 0)
    }
    return this.any ? rows.filter(({ orderingKey }) => !this.#keys.has(orderingKey)) : rows
  }
}
