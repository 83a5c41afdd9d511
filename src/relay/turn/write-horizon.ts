import type { SequenceReading, HorizonReading, Writer } from '../../store/lanes/read-horizon.ts'

/** Milliseconds between two readings of the horizon while the relay works lanes. */
const ADVANCE_MS = 250
/** Milliseconds. The provisional watermark passes a transaction that has been open for longer than this. */
const LONG_MS = 1_000

/** How far a lane's reader may skip what it has settled. */
export interface Skippable {
  /** Every row up to here is visible, or will never exist. */
  readonly confirmed: bigint
  /** Never below `confirmed`. */
  readonly provisional: ProvisionalWatermark
}

/** Every row up to `seq` is visible, or will never exist, except rows that the transactions `xids` may still commit. */
export interface ProvisionalWatermark {
  readonly seq: bigint
  /** Transaction ids, as xid8. */
  readonly xids: readonly string[]
}

const NOTHING: Skippable = { confirmed: 0n, provisional: { seq: 0n, xids: [] } }

/**
 * The `seq` up to which no row can appear any more: every row at or below it is visible to a read that begins now, or was
 * rolled back. Only below it may a reader skip what it has already settled. Above it, a transaction that drew its number early
 * may still commit, and its rows come before later ones of the same person. A reader that skipped them would deliver a
 * person's second event first.
 *
 * A transaction that is left open for hours would stop the horizon, and every read would walk through all rows settled since.
 * So there is a second, provisional watermark, which passes such transactions and names them. A reader that skips up to it
 * asks in the same snapshot whether one of them has ended (`readLane`).
 *
 * All of this holds for one server since its last start: after a failover, other transactions may draw the same numbers
 * again. If another server answers, or a number runs backwards, the horizon forgets everything.
 */
export class WriteHorizon {
  readonly #read: () => Promise<HorizonReading>
  readonly #onRewound: (from: SequenceReading, to: SequenceReading) => Promise<void>
  readonly #now: () => number
  /** The server, and the highest number that was seen on it. */
  #seen: SequenceReading = { server: '', lastSeq: 0n }
  #confirmed = 0n
  #provisional: ProvisionalWatermark = NOTHING.provisional
  /**
   * Readings that become a bound later: `#pendingConfirmed` when all writers of the reading have ended, `#pendingProvisional`
   * when each of them has ended or has been open for `LONG_MS`.
   */
  #pendingConfirmed: HorizonReading | undefined
  #pendingProvisional: HorizonReading | undefined
  readonly #openSince = new Map<string, number>()
  #advancedAt = Number.NEGATIVE_INFINITY
  #advancing: Promise<void> | undefined

  /**
   * @param onRewound Called if numbers ran backwards on the same server. Then the watermarks of all lanes are wrong, too.
   * @param now Milliseconds. Default: `performance.now`.
   */
  constructor(
    read: () => Promise<HorizonReading>,
    onRewound: (from: SequenceReading, to: SequenceReading) => Promise<void>,
    now = () => performance.now(),
  ) {
    this.#read = read
    this.#onRewound = onRewound
    this.#now = now
  }

  /** What may be skipped in a lane that was claimed on `server`: nothing, if the horizon knows another server. */
  onServer(server: string): Skippable {
    if (server !== this.#seen.server) return NOTHING
    const confirmed = this.#confirmed
    return {
      confirmed,
      provisional: this.#provisional.seq > confirmed ? this.#provisional : { seq: confirmed, xids: [] },
    }
  }

  /**
   * The highest number that was seen, and the server that drew it. Callers take this before another reading begins (see
   * `compare`).
   */
  get lastReading(): SequenceReading {
    return this.#seen
  }

  /**
   * Compares a reading with the previous ones, and forgets the watermarks that it proves wrong.
   *
   * @param before `lastReading` when this reading began. Readings overlap: a later one may arrive earlier.
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
    this.#confirmed = 0n
    this.#provisional = NOTHING.provisional
    this.#pendingConfirmed = undefined
    this.#pendingProvisional = undefined
    this.#openSince.clear()
  }

  /** Advances the horizon if the last reading is older than 250 ms. Concurrent callers share one reading. */
  async advance(): Promise<void> {
    if (this.#now() - this.#advancedAt < ADVANCE_MS) return
    this.#advancing ??= this.#advance().finally(() => {
      this.#advancedAt = this.#now()
      this.#advancing = undefined
    })
    await this.#advancing
  }

  async #advance(): Promise<void> {
    const before = this.#seen
    const now = await this.#read()
    await this.compare(now, before)
    if (now.server !== this.#seen.server) return // another server has answered meanwhile: these are not its numbers
    const open = new Map(now.writers.map((writer) => [writer.id, writer]))
    const stillOpen = (of: HorizonReading) => of.writers.flatMap(({ id }) => open.get(id) ?? [])
    this.#remember(open)

    if (!this.#pendingConfirmed || stillOpen(this.#pendingConfirmed).length === 0) {
      if (this.#pendingConfirmed) this.#confirmed = this.#pendingConfirmed.lastSeq
      this.#pendingConfirmed = now
      if (now.writers.length === 0) this.#confirmed = now.lastSeq
    }

    for (const candidate of [now, this.#pendingProvisional]) {
      const writers = candidate && stillOpen(candidate)
      if (!candidate || !writers?.every((writer) => this.#isLong(writer))) continue
      this.#provisional = { seq: candidate.lastSeq, xids: writers.flatMap(({ xid }) => xid ?? []) }
      this.#pendingProvisional = now
      break
    }
    this.#pendingProvisional ??= now
  }

  #remember(open: ReadonlyMap<string, Writer>): void {
    for (const id of this.#openSince.keys()) if (!open.has(id)) this.#openSince.delete(id)
    for (const id of open.keys()) if (!this.#openSince.has(id)) this.#openSince.set(id, this.#now())
  }

  #isLong({ id, xid }: Writer): boolean {
    return xid !== undefined && this.#now() - (this.#openSince.get(id) ?? this.#now()) >= LONG_MS
  }
}
