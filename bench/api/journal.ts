import { PEOPLE } from '../workload/payload.ts'

/** Width of a bucket of the timeline, in ms. */
export const BUCKET_MS = 10
const ULID_LENGTH = 26

/** What the server has seen in one run; times are ms of the monotonic clock that all processes share. */
export interface JournalReport {
  readonly requests: number
  /** Operations received, those that came again included. */
  readonly operations: number
  /** Refs received at least once. */
  readonly seen: number
  readonly firstAt: number
  /** The last first arrival, and its answer. */
  readonly lastArrivedAt: number
  readonly lastAnsweredAt: number
  /** First arrivals behind a later event of the same person. */
  readonly outOfOrder: number
  /** Came again with the event id of the first time: Customer.io drops these. */
  readonly repeatedSameId: number
  /** Came again with another event id, or with none: applied twice. */
  readonly repeatedOtherId: number
  /** Refs that were never handed out. */
  readonly unknown: number
  /** First arrivals per bucket of `BUCKET_MS`, from `firstAt` on. */
  readonly timeline: readonly number[]
}

/** Counts, and keeps per ref what the checks need: a few bytes each, whatever the number of requests. */
export class Journal {
  readonly expected: number
  readonly #seen: Uint8Array
  readonly #ids: Buffer
  readonly #arrivals: Float64Array
  readonly #lastOfPerson = new Int32Array(PEOPLE).fill(-1)
  readonly #timeline: number[] = []
  #counts = {
    requests: 0,
    operations: 0,
    seen: 0,
    outOfOrder: 0,
    repeatedSameId: 0,
    repeatedOtherId: 0,
    unknown: 0,
  }
  #firstAt = 0
  #lastArrivedAt = 0
  #lastAnsweredAt = 0

  constructor(expected: number) {
    this.expected = expected
    this.#seen = new Uint8Array(expected)
    this.#ids = Buffer.alloc(expected * ULID_LENGTH)
    this.#arrivals = new Float64Array(expected)
  }

  get seen(): number {
    return this.#counts.seen
  }

  request(at: number): void {
    this.#counts.requests++
    if (this.#firstAt === 0) this.#firstAt = at
  }

  /** @param id The event's id; empty where it has none. */
  operation(ref: number, id: string, at: number): void {
    const counts = this.#counts
    counts.operations++
    if (!(ref >= 0 && ref < this.expected)) {
      counts.unknown++
    } else if (this.#seen[ref]) {
      const first = this.#ids.toString('latin1', ref * ULID_LENGTH, (ref + 1) * ULID_LENGTH)
      if (id !== '' && first === id) counts.repeatedSameId++
      else counts.repeatedOtherId++
    } else {
      this.#first(ref, id, at)
    }
  }

  answered(at: number): void {
    this.#lastAnsweredAt = at
  }

  /** When each ref arrived first, by ref; 0 where it has not. */
  arrivals(): number[] {
    return [...this.#arrivals]
  }

  report(): JournalReport {
    return {
      ...this.#counts,
      firstAt: this.#firstAt,
      lastArrivedAt: this.#lastArrivedAt,
      lastAnsweredAt: this.#lastAnsweredAt,
      timeline: Array.from(this.#timeline, (count) => count ?? 0),
    }
  }

  #first(ref: number, id: string, at: number): void {
    this.#seen[ref] = 1
    this.#counts.seen++
    this.#arrivals[ref] = at
    this.#lastArrivedAt = at
    if (id.length === ULID_LENGTH) this.#ids.write(id, ref * ULID_LENGTH, 'latin1')
    const person = ref % PEOPLE
    const last = this.#lastOfPerson[person] ?? -1
    if (last > ref) this.#counts.outOfOrder++
    else this.#lastOfPerson[person] = ref
    const bucket = Math.floor((at - this.#firstAt) / BUCKET_MS)
    this.#timeline[bucket] = (this.#timeline[bucket] ?? 0) + 1
  }
}
