import { type ArrivalLog, ULID_LENGTH } from '../oracle/judge-arrivals.ts'
import { PEOPLE } from '../workload/payload.ts'

/** Width of a bucket of the timeline. Milliseconds. */
export const BUCKET_MS = 10

/** Totals of one run at the server. Times are ms of the monotonic clock that all processes share. */
export interface JournalReport {
  readonly requests: number
  /** Operations received, including repeated ones. */
  readonly operations: number
  /** Refs received at least once. */
  readonly seen: number
  /** When the first request arrived. */
  readonly firstAt: number
  /** When the last ref arrived for the first time. */
  readonly lastArrivedAt: number
  /** When the last answer was sent. */
  readonly lastAnsweredAt: number
  /** First arrivals after a later event of the same person. */
  readonly outOfOrder: number
  /** Operations whose ref is not below `expected`. */
  readonly unknown: number
  /** First arrivals per bucket of `BUCKET_MS`, from `firstAt` on. */
  readonly timeline: readonly number[]
}

/** Counts arrivals and keeps the data of the checks: 4 bytes per expected ref, about 50 per arrived one. */
export class Journal {
  readonly expected: number
  /** By ref: 1 + its index in `#order`, or 0 if it has not arrived. */
  readonly #position: Int32Array
  readonly #order: number[] = []
  readonly #arrivedAt: number[] = []
  #ids = Buffer.alloc(ULID_LENGTH * 1_024)
  readonly #repeats: { ref: number; id: string; dropped: boolean }[] = []
  readonly #lastOfPerson = new Int32Array(PEOPLE).fill(-1)
  readonly #timeline: number[] = []
  readonly #counts = { requests: 0, operations: 0, outOfOrder: 0, unknown: 0 }
  #firstAt = 0
  #lastAnsweredAt = 0

  /** @param expected Refs below this number are valid. */
  constructor(expected: number) {
    this.expected = expected
    this.#position = new Int32Array(expected)
  }

  get seen(): number {
    return this.#order.length
  }

  /** Operations with an invalid ref. They count towards `untilSeen`: the valid refs may never all arrive then. */
  get unknown(): number {
    return this.#counts.unknown
  }

  request(at: number): void {
    this.#counts.requests++
    if (this.#firstAt === 0) this.#firstAt = at
  }

  /** @param id The event's id, or '' if it has none. */
  operation(ref: number, id: string, at: number): void {
    this.#counts.operations++
    if (!(ref >= 0 && ref < this.expected)) this.#counts.unknown++
    else if (this.#position[ref]) this.#repeated(ref, id)
    else this.#first(ref, id, at)
  }

  answered(at: number): void {
    this.#lastAnsweredAt = at
  }

  /** First arrival by ref, or 0 if it has not arrived. */
  arrivals(): Float64Array {
    const arrivals = new Float64Array(this.expected)
    for (const [index, ref] of this.#order.entries()) arrivals[ref] = this.#arrivedAt[index] ?? 0
    return arrivals
  }

  log(): ArrivalLog {
    const ids = Buffer.from(this.#ids.subarray(0, this.seen * ULID_LENGTH))
    return { order: Int32Array.from(this.#order), ids, repeats: this.#repeats }
  }

  report(): JournalReport {
    return {
      ...this.#counts,
      seen: this.seen,
      firstAt: this.#firstAt,
      lastArrivedAt: this.#arrivedAt.at(-1) ?? 0,
      lastAnsweredAt: this.#lastAnsweredAt,
      timeline: Array.from(this.#timeline, (count) => count ?? 0),
    }
  }

  #first(ref: number, id: string, at: number): void {
    const index = this.#order.push(ref) - 1
    this.#position[ref] = index + 1
    this.#arrivedAt.push(at)
    this.#keepId(index, id)
    const person = ref % PEOPLE
    const last = this.#lastOfPerson[person] ?? -1
    if (last > ref) this.#counts.outOfOrder++
    else this.#lastOfPerson[person] = ref
    const bucket = Math.floor((at - this.#firstAt) / BUCKET_MS)
    this.#timeline[bucket] = (this.#timeline[bucket] ?? 0) + 1
  }

  #repeated(ref: number, id: string): void {
    const from = ((this.#position[ref] ?? 1) - 1) * ULID_LENGTH
    const dropped = id !== '' && this.#ids.toString('latin1', from, from + ULID_LENGTH) === id
    this.#repeats.push({ ref, id, dropped })
  }

  #keepId(index: number, id: string): void {
    if (id.length !== ULID_LENGTH) return
    const from = index * ULID_LENGTH
    if (from >= this.#ids.length) this.#ids = Buffer.concat([this.#ids, Buffer.alloc(this.#ids.length)])
    this.#ids.write(id, from, 'latin1')
  }
}
