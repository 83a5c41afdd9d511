import type { FakeOperation } from '../model/operation.ts'

/** A first delivery out of order: an operation that was applied after a later one of the same person. */
export interface OrderViolation {
  /** As in `applied`; for a message of the Pipelines API as in `pipelines` (`userId:…`, `anonymousId:…`). */
  readonly personKey: string
  /** The `ordinal` of the operation in `applied`, or of the message in `pipelines`. */
  readonly ordinal: number
  /** The sequence number that `sequenceOf` returned. */
  readonly sequence: number
  /** The highest sequence number of this person that was applied before. */
  readonly after: number
}

export type SequenceOf = (operation: FakeOperation) => number | undefined

const keptViolations = 1_000

/** Checks that the operations of each person are applied in the order of `sequenceOf`. Without it, checks nothing. */
export class OrderCheck {
  readonly violations: OrderViolation[] = []
  count = 0
  readonly #sequenceOf: SequenceOf | undefined
  readonly #sequences = new Map<string, { highest: number; readonly seen: Set<number> }>()

  constructor(sequenceOf: SequenceOf | undefined) {
    this.#sequenceOf = sequenceOf
  }

  /** Records an applied operation or message. */
  record(operation: FakeOperation, personKey: string, ordinal: number): void {
    const sequence = this.#sequenceOf?.(operation)
    if (sequence === undefined) return
    const person = this.#sequences.get(personKey)
    if (person === undefined) {
      this.#sequences.set(personKey, { highest: sequence, seen: new Set([sequence]) })
      return
    }
    // A repeated delivery of an operation without a ULID, such as an identify, is allowed: delivery is at least once.
    if (sequence < person.highest && !person.seen.has(sequence)) {
      this.count += 1
      if (this.violations.length < keptViolations)
        this.violations.push({ personKey, ordinal, sequence, after: person.highest })
    }
    person.seen.add(sequence)
    if (sequence > person.highest) person.highest = sequence
  }
}
