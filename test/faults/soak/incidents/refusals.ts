import type { FakeCustomerIo, FakeOperation } from '../../../../src/testing/index.ts'

/** `207`: only the operation is refused, and the rest of its request takes effect. `400`: the whole request is refused. */
export type RefusalKind = '207' | '400'

/**
 * Customer.io refuses an operation for its content, so it refuses every repetition in the same way, even if the first
 * answer was lost. A fake that accepted the repetition would apply it after later operations of the same request, and
 * no relay could prevent that.
 */
export class Refusals {
  readonly #refused = new Map<string, RefusalKind>()
  readonly #active = new Set<{ readonly kind: RefusalKind; readonly oneIn: number }>()

  /** The refs of all refused operations so far. */
  get refs(): ReadonlySet<string> {
    return new Set(this.#refused.keys())
  }

  /** Makes the fake refuse the operations. Call it again after `fake.behave()`, which ends the refusals. */
  applyTo(fake: FakeCustomerIo): void {
    fake.misbehave({ kind: 'refuse', operation: (operation) => this.#refuses('207', operation) })
    fake.misbehave({ kind: 'badRequest', operation: (operation) => this.#refuses('400', operation) })
  }

  /** Starts to refuse one intent in `oneIn`. Returns a function that ends this. Operations that were refused stay refused. */
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
