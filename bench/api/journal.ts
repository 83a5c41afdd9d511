import { type ArrivalLog, ULID_LENGTH } from '../oracle/judge-arrivals.ts'
import { PEOPLE } from '../workload/payload.ts'

/** Width of a bucket of the timeline, in ms. */
export const BUCKET_MS = 10

/** What the server has seen in one run; times are ms of the monotonic clock that all processes share. */
export interface JournalReport {
  readonly requests: number
  /** Operations received, those that came again included. */
  readonly operations: number
  /** Refs received at least once. */
  readonly seen: number
  readonly firstAt: number
  /** The last first arrival, and the last answer. */
  readonly lastArrivedAt: number
  readonly lastAnsweredAt: number
  /** First arrivals behind a later event of the same person. */
  readonly outOfOrder: number
  /** Refs that were never handed out. */
  readonly unknown: number
  /** First arrivals per bucket of `BUCKET_MS`, from `firstAt` on. */
  readonly timeline: readonly number[]
}

/** Counts, and keeps what the checks need: 4 bytes per ref that may come, and some 50 per one that came. */
export class Journal {
  readonly expected: number
  /** By ref: 1 + its place in `#order`; 0 where it has not arrived. */
  readonly #place: Int32Array
  readonly #order: number[] = []
  readonly #arrivedAt: number[] = []
  #ids = Buffer.alloc(ULID_LENGTH * 1_024)
  readonly #again: { ref: number; id: string; dropped: boolean }[] = []
  readonly #lastOfPerson = new Int32Array(PEOPLE).fill(-1)
  readonly #timeline: number[] = []
  readonly #counts = { requests: 0, operations: 0, outOfOrder: 0, unknown: 0 }
  #firstAt = 0
  #lastAnsweredAt = 0

  /** @param expected Refs below this are known. */
  constructor(expected: number) {
    this.expected = expected
    this.#place = new Int32Array(expected)
  }

  get seen(): number {
    return this.#order.length
  }

  /** Refs that came and were never handed out: whoever waits for others waits in vain. */
  get unknown(): number {
    return this.#counts.unknown
  }

  request(at: number): void {
    this.#counts.requests++
    if (this.#firstAt === 0) this.#firstAt = at
  }

  /** @param id The event's id; empty where it has none. */
  operation(ref: number, id: string, at: number): void {
    this.#counts.operations++
    if (!(ref >= 0 && ref < this.expected)) this.#counts.unknown++
    else if (this.#place[ref]) this.#repeated(ref, id)
    else this.#first(ref, id, at)
  }

  answered(at: number): void {
    this.#lastAnsweredAt = at
  }

  /** When each ref arrived first, by ref; 0 where it has not. */
  arrivals(): Float64Array {
    const arrivals = new Float64Array(this.expected)
    for (const [index, ref] of this.#order.entries()) arrivals[ref] = this.#arrivedAt[index] ?? 0
    return arrivals
  }

  log(): ArrivalLog {
    const ids = Buffer.from(this.#ids.subarray(0, this.seen * ULID_LENGTH))
    return { order: Int32Array.from(this.#order), ids, again: this.#again }
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
    this.#place[ref] = index + 1
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
    const from = ((this.#place[ref] ?? 1) - 1) * ULID_LENGTH
    const dropped = id !== '' && this.#ids.toString('latin1', from, from + ULID_LENGTH) === id
    this.#again.push({ ref, id, dropped })
  }

  #keepId(index: number, id: string): void {
    if (id.length !== ULID_LENGTH) return
    const from = index * ULID_LENGTH
    if (from >= this.#ids.length) this.#ids = Buffer.concat([this.#ids, Buffer.alloc(this.#ids.length)])
    this.#ids.write(id, from, 'latin1')
  }
}
