import type { WriteHorizon, Writer } from '../store/read-horizon.ts'

/** How often the horizon is moved while lanes are worked. */
const MOVE_MS = 250
/** A transaction that has been open for this long is not waited for any more: what may be skipped goes past it. */
const LONG_MS = 1_000

/** Virtual ids of prepared transactions that were recovered: no backend has them. */
const PREPARED = '-1/'

/** Everything up to `to` can be seen or will never be, except what the transactions `unless` may still commit. */
export interface Passed {
  readonly to: bigint
  /** Their xid8. */
  readonly unless: readonly string[]
}

/**
 * The `seq` up to which nothing can appear any more: every row at or below it is visible to a read that begins
 * now, or was rolled back. Only below it may a reader skip what it has already settled. Above it a transaction
 * that drew its number early may still commit, and its rows come before later ones of the same person: a cursor
 * that passed them by would deliver a person's second event first.
 *
 * A transaction that is left open for hours would stop it, and every read would walk through all that was settled
 * since. So there is a second one, `passed`, which goes past such transactions and names them: who skips up to it
 * asks in the same snapshot whether one of them is over (`readLane`).
 */
export class Horizon {
  readonly #read: () => Promise<WriteHorizon>
  readonly #now: () => number
  #safe = 0n
  #passed: Passed = { to: 0n, unless: [] }
  #pending: WriteHorizon | undefined
  #pendingPast: WriteHorizon | undefined
  readonly #openSince = new Map<string, number>()
  #movedAt = Number.NEGATIVE_INFINITY
  #moving: Promise<void> | undefined

  constructor(read: () => Promise<WriteHorizon>, now = () => performance.now()) {
    this.#read = read
    this.#now = now
  }

  get safe(): bigint {
    return this.#safe
  }

  /** Never below `safe`. */
  get passed(): Passed {
    return this.#passed.to > this.#safe ? this.#passed : { to: this.#safe, unless: [] }
  }

  /** Moves the horizon if it is time. Callers at one time share one look. */
  async advance(): Promise<void> {
    if (this.#now() - this.#movedAt < MOVE_MS) return
    this.#moving ??= this.#move().finally(() => {
      this.#movedAt = this.#now()
      this.#moving = undefined
    })
    await this.#moving
  }

  async #move(): Promise<void> {
    const now = await this.#read()
    this.#keepPrepared(now)
    const open = new Map(now.writers.map((writer) => [writer.id, writer]))
    const stillOpen = (of: WriteHorizon) => of.writers.flatMap(({ id }) => open.get(id) ?? [])
    this.#remember(open)

    if (!this.#pending || stillOpen(this.#pending).length === 0) {
      if (this.#pending) this.#safe = this.#pending.lastSeq
      this.#pending = now
      if (now.writers.length === 0) this.#safe = now.lastSeq
    }

    for (const candidate of [now, this.#pendingPast]) {
      const left = candidate && stillOpen(candidate)
      if (!candidate || !left?.every((writer) => this.#isLong(writer))) continue
      this.#passed = { to: candidate.lastSeq, unless: left.flatMap(({ xid }) => xid ?? []) }
      this.#pendingPast = now
      break
    }
    this.#pendingPast ??= now
  }

  /**
   * A prepared transaction that outlives the server has another virtual id afterwards: one that is seen for the first
   * time may be any of those that are waited for.
   */
  #keepPrepared({ writers }: WriteHorizon): void {
    const prepared = writers.filter(({ id }) => id.startsWith(PREPARED) && !this.#openSince.has(id))
    if (prepared.length === 0) return
    const withThem = (of: WriteHorizon) => ({ ...of, writers: [...of.writers, ...prepared] })
    this.#pending &&= withThem(this.#pending)
    this.#pendingPast &&= withThem(this.#pendingPast)
  }

  #remember(open: ReadonlyMap<string, Writer>): void {
    for (const id of this.#openSince.keys()) if (!open.has(id)) this.#openSince.delete(id)
    for (const id of open.keys()) if (!this.#openSince.has(id)) this.#openSince.set(id, this.#now())
  }

  #isLong({ id, xid }: Writer): boolean {
    return xid !== undefined && this.#now() - (this.#openSince.get(id) ?? this.#now()) >= LONG_MS
  }
}
