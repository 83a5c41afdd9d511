/** One request, as received. */
export interface RequestRecord {
  /** 1 for the first since start or `reset()`. */
  readonly ordinal: number
  readonly method: string
  /** Without the query. */
  readonly path: string
  /** The status of the answer; undefined while it is under way, and for ever where none was given. */
  readonly status: number | undefined
  /** How many operations it carried, valid or not. */
  readonly operations: number
  /** The body's length. */
  readonly bytes: number
  /** Unix milliseconds, when the body was complete. */
  readonly receivedAt: number
  /** The kind of the misbehaviour that decided about it. */
  readonly misbehaviour: string | undefined
}

/** What was received: a total, the answers by status, and the newest requests. */
export interface RequestLog {
  readonly total: number
  /** Requests answered, by status. */
  readonly byStatus: Readonly<Record<number, number>>
  /** The newest requests, oldest first; at most `keepRequests` (default 1,000). */
  readonly recent: readonly RequestRecord[]
}

export class Requests implements RequestLog {
  total = 0
  readonly byStatus: Record<number, number> = {}
  readonly #keep: number
  #records: RequestRecord[] = []

  constructor(keep: number) {
    this.#keep = keep
  }

  get recent(): readonly RequestRecord[] {
    return this.#newest()
  }

  receive(request: Omit<RequestRecord, 'ordinal' | 'status'>): RequestRecord {
    this.total += 1
    const record: RequestRecord = { ordinal: this.total, status: undefined, ...request }
    this.#records.push(record)
    // Cut seldom: moving the array costs as much as it is long.
    if (this.#records.length > 2 * this.#keep + 100) this.#records = this.#newest()
    return record
  }

  answer(record: RequestRecord, status: number): void {
    const open: { status: number | undefined } = record
    open.status = status
    this.byStatus[status] = (this.byStatus[status] ?? 0) + 1
  }

  #newest(): RequestRecord[] {
    return this.#records.slice(Math.max(0, this.#records.length - this.#keep))
  }
}
