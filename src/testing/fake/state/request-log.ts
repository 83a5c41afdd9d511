/** One received request. */
export interface RequestRecord {
  /** Position since start or `reset()`: 1 for the first. */
  readonly ordinal: number
  readonly method: string
  /** Without the query. */
  readonly path: string
  /** The status of the answer. Undefined before the answer, and permanently if none was given. */
  readonly status: number | undefined
  /** Number of operations, valid or not. */
  readonly operations: number
  /** Length of the body. */
  readonly bytes: number
  /** When the body was complete, Unix milliseconds. */
  readonly receivedAt: number
  /** The kind of the misbehaviour that decided the answer, if any. */
  readonly misbehaviour: string | undefined
}

/** The received requests: a total, the answers by status, and the newest ones. */
export interface RequestLog {
  /** All requests since start or `reset()`. */
  readonly total: number
  /** Number of answers by status. */
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
    // Trim rarely: each trim copies the whole array.
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
