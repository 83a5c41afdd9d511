import type { WriteHorizon } from '../store/read-horizon.ts'

/** How often the horizon is moved while lanes are worked. */
const MOVE_MS = 250

/**
 * The `seq` up to which nothing can appear any more: every row at or below it is visible to a read that begins
 * now, or was rolled back. Only below it may a reader skip what it has already settled. Above it a transaction
 * that drew its number early may still commit, and its rows come before later ones of the same person: a cursor
 * that passed them by would deliver a person's second event first.
 */
export class Horizon {
  readonly #read: () => Promise<WriteHorizon>
  #safe = 0n
  #pending: WriteHorizon | undefined
  #movedAt = Number.NEGATIVE_INFINITY
  #moving: Promise<void> | undefined

  constructor(read: () => Promise<WriteHorizon>) {
    this.#read = read
  }

  get safe(): bigint {
    return this.#safe
  }

  /** Moves the horizon if it is time. Callers at one time share one look. */
  async advance(): Promise<void> {
    if (performance.now() - this.#movedAt < MOVE_MS) return
    this.#moving ??= this.#move().finally(() => {
      this.#movedAt = performance.now()
      this.#moving = undefined
    })
    await this.#moving
  }

  async #move(): Promise<void> {
    const now = await this.#read()
    const open = new Set(now.holders)
    if (this.#pending?.holders.some((holder) => open.has(holder))) return
    if (this.#pending) this.#safe = this.#pending.lastSeq
    this.#pending = now
    if (now.holders.length === 0) this.#safe = now.lastSeq
  }
}
