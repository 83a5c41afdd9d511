import type { FakeCustomerIo, FakeOperation } from '../../../src/testing/index.ts'

/** `207`: the operation alone is refused, and the rest of its request taken. `400`: the whole request. */
export type RefusalKind = '207' | '400'

/**
 * What Customer.io refuses it refuses for its content: it refuses it again whenever it comes again, in the same way, and
 * whatever became of the first answer. A fake that took it the second time would set it behind what it had taken the
 * first time, and no relay could help that.
 */
export class Refusals {
  readonly #refused = new Map<string, RefusalKind>()
  readonly #active = new Set<{ readonly kind: RefusalKind; readonly oneIn: number }>()

  /** The refs of all that was refused so far. */
  get refs(): ReadonlySet<string> {
    return new Set(this.#refused.keys())
  }

  /** Makes the fake refuse; again after each `fake.behave()`. */
  declareTo(fake: FakeCustomerIo): void {
    fake.misbehave({ kind: 'refuse', operation: (operation) => this.#refuses('207', operation) })
    fake.misbehave({ kind: 'badRequest', operation: (operation) => this.#refuses('400', operation) })
  }

  /** One intent in so many, from now on until the end that it returns. */
  begin(kind: RefusalKind, oneIn: number): () => void {
    const active = { kind, oneIn }
    this.#active.add(active)
    return () => this.#active.delete(active)
  }

  #refuses(kind: RefusalKind, { attributes }: FakeOperation): boolean {
    const ref = String(attributes?.ref)
    const known = this.#refused.get(ref)
    if (known !== undefined) return known === kind
    const number = Number(ref.split('-')[1])
    if (![...this.#active].some((each) => each.kind === kind && number % each.oneIn === 0)) return false
    this.#refused.set(ref, kind)
    return true
  }
}
