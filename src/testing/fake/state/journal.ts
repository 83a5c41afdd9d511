import { isDeepStrictEqual } from 'node:util'
import type {
  AppliedOperation,
  Arrival,
  DuplicateOperation,
  FakeOperation,
  IgnoredBecause,
  IgnoredOperation,
} from '../model/operation.ts'
import type { OrderCheck } from './order-check.ts'

export interface JournalOptions {
  readonly keepOperations: boolean
  readonly order: OrderCheck
}

/** The operations that the Track API applied, dropped and ignored, each in order. */
export class Journal {
  readonly applied: AppliedOperation[] = []
  readonly duplicates: DuplicateOperation[] = []
  readonly ignored: IgnoredOperation[] = []
  readonly counts = { applied: 0, duplicates: 0, ignored: 0 }
  readonly #options: JournalOptions
  readonly #ordinalOfUlid = new Map<string, number>()

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
    this.#options.order.record(operation, personKey, ordinal)
    return record
  }

  /** Whether an event with this ULID was applied before. If so, the event is recorded as a duplicate. */
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
