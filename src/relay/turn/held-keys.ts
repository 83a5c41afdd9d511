import type { Database } from '../../store/connection/database.ts'
import { holdIntents } from '../../store/lanes/hold-intents.ts'
import type { Fence } from '../../store/lanes/lane.ts'
import type { QueuedIntent } from '../../store/lanes/queued-intent.ts'
import { readHeldKeys } from '../../store/lanes/read-held-keys.ts'
import { RELEASED_AT_MOST, releaseHeld } from '../../store/lanes/release-held.ts'
import type { HeldKey } from '../../store/lanes/settle.ts'

/** Milliseconds between two readings of the held keys while the lane has some: an operator may have released them. */
const READ_EVERY_MS = 1_000

/**
 * The ordering keys of a lane whose intents wait behind a dead letter, until an operator redrives or discards it.
 *
 *   free ──settle of a dead letter that holds──▶ held: later intents move to the held lane when they are read
 *   held ──the dead letter is gone──▶ releasing: held intents go back in parts; the rest of the key stays held
 *   releasing ──no held intent is left──▶ free
 *
 * Only the worker of the lane moves intents between the lane and the held lane, under its fence. What holds is a fact of the
 * database, so it counts for every relay, whatever its settings say.
 */
export class HeldKeys {
  readonly #db: Database
  readonly #fence: Fence
  /** By ordering key: its intents from this `seq` on wait. */
  readonly #from = new Map<string, bigint>()
  /** Keys that were added while a reading was under way, which may not have seen them. */
  #added: HeldKey[] = []
  #state: 'unread' | 'read' | 'releasing' = 'unread'
  #readAt = Number.NEGATIVE_INFINITY

  constructor(db: Database, fence: Fence) {
    this.#db = db
    this.#fence = fence
  }

  get any(): boolean {
    return this.#from.size > 0
  }

  /** Whether the lane may have more held intents to put back. Then it is not drained. */
  get isReleasing(): boolean {
    return this.#state === 'releasing'
  }

  has({ orderingKey, seq }: Pick<QueuedIntent, 'orderingKey' | 'seq'>): boolean {
    const from = this.#from.get(orderingKey)
    return from !== undefined && BigInt(seq) >= from
  }

  /** Holds keys because of dead letters that were settled just now. */
  add(held: readonly HeldKey[]): void {
    this.#added.push(...held)
    this.#lower(held)
  }

  /** Makes the next `sync` read, if the lane has held keys: a notification or a poll has found something. */
  expectNews(): void {
    this.#readAt = Number.NEGATIVE_INFINITY
  }

  /** Makes the next `sync` read in any case. */
  forget(): void {
    this.#state = 'unread'
  }

  /**
   * Reads which keys are held, and puts intents back that need not wait any more. Does nothing if the lane has no held keys,
   * except for the first time.
   *
   * @param waiting How many rows of the lane wait in memory. No intents are put back before most of the last ones are sent.
   * @returns the lowest `seq` that was put back; undefined if there is none. The lane must be read again from there.
   */
  async sync(waiting: number): Promise<bigint | undefined> {
    const isTime = this.any && performance.now() - this.#readAt >= READ_EVERY_MS
    if (waiting >= RELEASED_AT_MOST || (this.#state === 'read' && !isTime)) return undefined
    this.#readAt = performance.now()
    const isReleaseRequested = await this.#read()
    this.#state = 'read'
    if (!isReleaseRequested) return undefined
    const { first, more } = await releaseHeld(this.#db, this.#fence)
    await this.#read()
    if (more) this.#state = 'releasing'
    return first
  }

  async #read(): Promise<boolean> {
    this.#added = []
    const { from, isReleaseRequested } = await readHeldKeys(this.#db, this.#fence)
    this.#from.clear()
    for (const [key, seq] of from) this.#from.set(key, seq)
    this.#lower(this.#added)
    return isReleaseRequested
  }

  #lower(held: readonly HeldKey[]): void {
    for (const { orderingKey, seq } of held) {
      const from = this.#from.get(orderingKey)
      if (from === undefined || seq < from) this.#from.set(orderingKey, seq)
    }
  }

  /** Moves those of the rows that must wait to the held lane, and returns the others. */
  async setAside(rows: readonly QueuedIntent[]): Promise<readonly QueuedIntent[]> {
    if (!this.any) return rows
    const waiting = rows.filter((row) => this.has(row))
    if (waiting.length === 0) return rows
    await holdIntents(this.#db, this.#fence, waiting)
    return rows.filter((row) => !this.has(row))
  }
}
