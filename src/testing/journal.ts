import { isDeepStrictEqual } from 'node:util'
import type {
  AppliedOperation,
  Arrival,
  DuplicateOperation,
  FakeOperation,
  IgnoredBecause,
  IgnoredOperation,
} from './operation.ts'

/** An operation that came after a later one of its person: a first delivery out of order. */
export interface OrderViolation {
  readonly personKey: string
  /** The operation's `ordinal` in `applied`. */
  readonly ordinal: number
  /** What `sequenceOf` said of it. */
  readonly sequence: number
  /** The highest sequence of this person that had been applied before. */
  readonly after: number
}

export interface JournalOptions {
  readonly keepOperations: boolean
  readonly sequenceOf: ((operation: FakeOperation) => number | undefined) | undefined
}

const keptViolations = 1_000

/** What took effect, in order; what was dropped; and, with `sequenceOf`, whether the order was right. */
export class Journal {
  readonly applied: AppliedOperation[] = []
  readonly duplicates: DuplicateOperation[] = []
  readonly ignored: IgnoredOperation[] = []
  readonly outOfOrder: OrderViolation[] = []
  readonly counts = { applied: 0, duplicates: 0, ignored: 0, outOfOrder: 0 }
  readonly #options: JournalOptions
  readonly #ordinalOfUlid = new Map<string, number>()
  readonly #sequences = new Map<string, { highest: number; readonly seen: Set<number> }>()

  constructor(options: JournalOptions) {
    this.#options = options
  }

  get keepsOperations(): boolean {
    return this.#options.keepOperations
  }

  apply(operation: FakeOperation, personKey: string, arrival: Arrival): AppliedOperation {
    this.counts.applied += 1
    const ordinal = this.counts.applied
    const entry = describe(operation, personKey, arrival)
    const record: AppliedOperation = { ordinal, ...entry, duplicate: false }
    if (record.ulid !== undefined) this.#ordinalOfUlid.set(record.ulid, ordinal)
    if (this.#options.keepOperations) this.applied.push(record)
    if (this.#options.sequenceOf !== undefined) this.#checkOrder(record, this.#options.sequenceOf(operation))
    return record
  }

  /** Whether the event's ULID was applied before; if so, the event is entered as a duplicate. */
  dropDuplicate(operation: FakeOperation, personKey: string, arrival: Arrival): boolean {
    if (operation.id === undefined) return false
    const firstOrdinal = this.#ordinalOfUlid.get(operation.id.toUpperCase())
    if (firstOrdinal === undefined) return false
    this.counts.duplicates += 1
    if (this.#options.keepOperations) {
      const sameBody = isDeepStrictEqual(this.applied[firstOrdinal - 1]?.body, operation)
      const entry = describe(operation, personKey, arrival)
      this.duplicates.push({ ...entry, duplicate: true, firstOrdinal, sameBody })
    }
    return true
  }

  ignore(operation: FakeOperation, personKey: string, arrival: Arrival, why: IgnoredBecause): void {
    this.counts.ignored += 1
    if (this.#options.keepOperations) this.ignored.push({ ...describe(operation, personKey, arrival), why })
  }

  #checkOrder({ personKey, ordinal }: AppliedOperation, sequence: number | undefined): void {
    if (sequence === undefined) return
    const person = this.#sequences.get(personKey)
    if (person === undefined) {
      this.#sequences.set(personKey, { highest: sequence, seen: new Set([sequence]) })
      return
    }
    // A second delivery of what has no ULID, an identify say, is no violation: at least once is allowed.
    if (sequence < person.highest && !person.seen.has(sequence)) {
      this.counts.outOfOrder += 1
      if (this.outOfOrder.length < keptViolations)
        this.outOfOrder.push({ personKey, ordinal, sequence, after: person.highest })
    }
    person.seen.add(sequence)
    if (sequence > person.highest) person.highest = sequence
  }
}

function describe(operation: FakeOperation, personKey: string, arrival: Arrival) {
  const type = operation.type as AppliedOperation['type']
  const action = operation.action as string
  const isEvent = type === 'person' && (action === 'event' || action === 'page' || action === 'screen')
  return {
    requestOrdinal: arrival.requestOrdinal,
    personKey,
    type,
    action,
    name: operation.name?.trim(),
    ulid: isEvent ? operation.id?.toUpperCase() : undefined,
    timestamp: operation.timestamp,
    body: operation,
    receivedAt: arrival.receivedAt,
  }
}
