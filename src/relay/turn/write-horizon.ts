import type { SequenceReading, HorizonReading, Writer } from '../../store/lanes/read-horizon.ts'

/** How often the horizon is moved while lanes are worked. */
const MOVE_MS = 250
/** A transaction that has been open for this long is not waited for any more: what may be skipped goes past it. */
const LONG_MS = 1_000

/** What may be skipped in a lane. */
export interface Skippable {
  /** Everything up to here can be seen or will never be. */
  readonly confirmed: bigint
  /** Never below `safe`. */
  readonly provisional: ProvisionalWatermark
}

const NOTHING: Skippable = { confirmed: 0n, provisional: { seq: 0n, xids: [] } }

/** Everything up to `to` can be seen or will never be, except what the transactions `unless` may still commit. */
export interface ProvisionalWatermark {
  readonly seq: bigint
  /** Their xid8. */
  readonly xids: readonly string[]
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
 *
 * All of it is about one server since its last start: after a failover, other transactions draw numbers that were
 * drawn before. Another server, or a number that runs backwards, makes the horizon forget everything.
 */
export class WriteHorizon {
  readonly #read: () => Promise<HorizonReading>
  readonly #onRewound: (from: SequenceReading, to: SequenceReading) => Promise<void>
  readonly #now: () => number
  /** The server, and the highest number that was seen on it. */
  #seen: SequenceReading = { server: '', lastSeq: 0n }
  #safe = 0n
  #passed: ProvisionalWatermark = { seq: 0n, xids: [] }
  #pending: HorizonReading | undefined
  #pendingPast: HorizonReading | undefined
  readonly #openSince = new Map<string, number>()
  #movedAt = Number.NEGATIVE_INFINITY
  #moving: Promise<void> | undefined

  /** @param onRewound Numbers ran backwards on the same server: the bounds of all lanes are wrong, too. */
  constructor(
    read: () => Promise<HorizonReading>,
    onRewound: (from: SequenceReading, to: SequenceReading) => Promise<void>,
    now = () => performance.now(),
  ) {
    this.#read = read
    this.#onRewound = onRewound
    this.#now = now
  }

  /** What may be skipped in a lane that was taken on `server`: nothing, if the horizon knows another server. */
  onServer(server: string): Skippable {
    if (server !== this.#seen.server) return NOTHING
    const confirmed = this.#safe
    return {
      confirmed,
      provisional: this.#passed.seq > confirmed ? this.#passed : { seq: confirmed, xids: [] },
    }
  }

  /** The highest number that was seen, and on which server: to be asked for before a reading begins (see `compare`). */
  get lastReading(): SequenceReading {
    return this.#seen
  }

  /**
   * Compares a reading with what is known, and forgets what is not true any more.
   *
   * @param before `seen` when the reading began: readings overlap, and a later one may be told of earlier.
   */
  async compare(reading: SequenceReading, before: SequenceReading): Promise<void> {
    const rewound = reading.server === before.server && reading.lastSeq < before.lastSeq
    if (rewound) await this.#onRewound(before, reading)
    if (rewound || reading.server !== this.#seen.server) this.#forget(reading)
    else if (reading.lastSeq > this.#seen.lastSeq)
      this.#seen = { server: reading.server, lastSeq: reading.lastSeq }
  }

  #forget({ server, lastSeq }: SequenceReading): void {
    this.#seen = { server, lastSeq }
    this.#safe = 0n
    this.#passed = NOTHING.provisional
    this.#pending = undefined
    this.#pendingPast = undefined
    this.#openSince.clear()
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
    const before = this.#seen
    const now = await this.#read()
    await this.compare(now, before)
    if (now.server !== this.#seen.server) return // another server has answered meanwhile: these numbers are not its own
    const open = new Map(now.writers.map((writer) => [writer.id, writer]))
    const stillOpen = (of: HorizonReading) => of.writers.flatMap(({ id }) => open.get(id) ?? [])
    this.#remember(open)

    if (!this.#pending || stillOpen(this.#pending).length === 0) {
      if (this.#pending) this.#safe = this.#pending.lastSeq
      this.#pending = now
      if (now.writers.length === 0) this.#safe = now.lastSeq
    }

    for (const candidate of [now, this.#pendingPast]) {
      const left = candidate && stillOpen(candidate)
      if (!candidate || !left?.every((writer) => this.#isLong(writer))) continue
      this.#passed = { seq: candidate.lastSeq, xids: left.flatMap(({ xid }) => xid ?? []) }
      this.#pendingPast = now
      break
    }
    this.#pendingPast ??= now
  }

  #remember(open: ReadonlyMap<string, Writer>): void {
    for (const id of this.#openSince.keys()) if (!open.has(id)) this.#openSince.delete(id)
    for (const id of open.keys()) if (!this.#openSince.has(id)) this.#openSince.set(id, this.#now())
  }

  #isLong({ id, xid }: Writer): boolean {
    return xid !== undefined && this.#now() - (this.#openSince.get(id) ?? this.#now()) >= LONG_MS
  }
}
