import type { QueuedIntent } from '../../store/lanes/queued-intent.ts'
import type { Settlement } from '../../store/lanes/settle.ts'
import type { BatchEntry } from '../destination/cut-batch.ts'

/** A batch while it is sent: see `BatchInProgress`. */
export interface BatchProgress {
  readonly firstId: string
  readonly settled: ReadonlySet<string>
  settle(answered: Settlement): Promise<void>
  settleAside(): Promise<void>
}

/** Intents of one batch that are sent in one request: the whole batch or, after a failure, a part of its suspects. */
export interface Part {
  readonly progress: BatchProgress
  readonly entries: readonly BatchEntry[]
  /**
   * Whether a request for these intents, or a larger one that held them, has failed before. If the part is a single intent,
   * its next failure is charged to it.
   */
  readonly isolated: boolean
}

/**
 * The suspects of a lane. They are separated from each other by halving, one request at a time, while the rest of the lane
 * goes on. The halves of a part that fails take its place. Parts that share an ordering key are in the order of that key.
 * Other intents of the suspects' keys stay in the queue until the suspects are settled.
 */
export class Suspects {
  #parts: Part[] = []
  #count = 0

  /** How many intents are suspected. */
  get count(): number {
    return this.#count
  }

  get keys(): Set<string> {
    return new Set(this.rows.map(({ orderingKey }) => orderingKey))
  }

  /** The suspected rows, in order within each key. */
  get rows(): QueuedIntent[] {
    return this.#parts.flatMap(({ entries }) => entries.map(({ row }) => row))
  }

  /** Takes the first part out; undefined if there is none. */
  next(): Part | undefined {
    const part = this.#parts.shift()
    this.#count -= part?.entries.length ?? 0
    return part
  }

  /** Adds a part after all other parts. The other parts must have other keys. */
  add(part: Part): void {
    this.#parts.push(part)
    this.#count += part.entries.length
  }

  /** Puts parts before all others, so that they take the place of the part that was sent last. */
  putBack(...parts: readonly Part[]): void {
    this.#parts.unshift(...parts)
    for (const { entries } of parts) this.#count += entries.length
  }

  /** Removes the intents of these `seq`: they are settled. */
  drop(settled: ReadonlySet<string>): void {
    if (this.#count > 0) this.#keep(({ row }) => !settled.has(row.seq))
  }

  /** Removes the suspects of this ordering key. They stay in the queue, and the lane reads them again later. */
  dropKey(key: string): void {
    this.#keep(({ row }) => row.orderingKey !== key)
  }

  #keep(isKept: (entry: BatchEntry) => boolean): void {
    this.#parts = this.#parts.flatMap((part) => {
      const entries = part.entries.filter(isKept)
      return entries.length > 0 ? [{ ...part, entries }] : []
    })
    this.#count = this.#parts.reduce((sum, { entries }) => sum + entries.length, 0)
  }
}

/**
 * Splits intents into two halves. The relay sends the first one first. All intents of a key go to one half. The keys that
 * were enqueued last go to the first half, so that a live event does not wait while the relay searches a backlog for
 * culprits. If all intents have the same key, the first half has the earlier ones.
 */
export function halve(entries: readonly BatchEntry[]): readonly (readonly BatchEntry[])[] {
  const middle = Math.ceil(entries.length / 2)
  const byKey = Map.groupBy(entries, ({ row }) => row.orderingKey)
  if (byKey.size === 1) return [entries.slice(0, middle), entries.slice(middle)]
  const older = new Set<string>()
  let count = 0
  for (const [key, { length }] of byKey) {
    if (older.size > 0 && count + length > middle) break
    if (older.size === byKey.size - 1) break
    older.add(key)
    count += length
  }
  const isOlder = ({ row }: BatchEntry) => older.has(row.orderingKey)
  return [entries.filter((entry) => !isOlder(entry)), entries.filter(isOlder)]
}
