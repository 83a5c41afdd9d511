import type { FakeOperation } from '../model/operation.ts'

/** An operation that came after a later one of its person: a first delivery out of order. */
export interface OrderViolation {
  /** `userId:…`, `anonymousId:…` and the like where it is a message of the Pipelines API. */
  readonly personKey: string
  /** The operation's `ordinal` in `applied`, or the message's in `pipelines`. */
  readonly ordinal: number
  /** What `sequenceOf` said of it. */
  readonly sequence: number
  /** The highest sequence of this person that had been applied before. */
  readonly after: number
}

export type SequenceOf = (operation: FakeOperation) => number | undefined

const keptViolations = 1_000

/** With `sequenceOf`: whether what was applied came in the order of its person. */
export class OrderCheck {
  readonly violations: OrderViolation[] = []
  count = 0
  readonly #sequenceOf: SequenceOf | undefined
  readonly #sequences = new Map<string, { highest: number; readonly seen: Set<number> }>()

  constructor(sequenceOf: SequenceOf | undefined) {
    this.#sequenceOf = sequenceOf
  }

  /** Enters what was applied. */
  enter(operation: FakeOperation, personKey: string, ordinal: number): void {
    const sequence = this.#sequenceOf?.(operation)
    if (sequence === undefined) return
    const person = this.#sequences.get(personKey)
    if (person === undefined) {
      this.#sequences.set(personKey, { highest: sequence, seen: new Set([sequence]) })
      return
    }
    // A second delivery of what has no ULID, an identify say, is no violation: at least once is allowed.
    if (sequence < person.highest && !person.seen.has(sequence)) {
      this.count += 1
      if (this.violations.length < keptViolations)
        this.violations.push({ personKey, ordinal, sequence, after: person.highest })
    }
    person.seen.add(sequence)
    if (sequence > person.highest) person.highest = sequence
  }
}
