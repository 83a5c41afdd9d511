import type { WireItem } from '../../customerio/transports/transport.ts'

/**
 * The bytes of one request, with a comma between each two items. Items count with `maxBytes`, which needs no measuring, until
 * an item does not fit. From then on they count with `bytes`. Most requests are full by count before that.
 */
export class RequestBudget {
  readonly #limit: number
  readonly #items: WireItem[] = []
  #bytes = -1 // no comma before the first
  #measured = false

  /** @param limit Bytes. */
  constructor(limit: number) {
    this.#limit = limit
  }

  /**
   * Adds an item if it fits beside the others. The first item always fits.
   *
   * @returns whether the item was added.
   */
  tryAdd(item: WireItem): boolean {
    if (!this.#fits(item) && !this.#measured) {
      this.#measured = true
      this.#bytes = this.#items.reduce((sum, { bytes }) => sum + bytes + 1, -1)
    }
    if (!this.#fits(item)) return false
    this.#bytes += this.#sizeOf(item) + 1
    this.#items.push(item)
    return true
  }

  #fits(item: WireItem): boolean {
    return this.#items.length === 0 || this.#bytes + this.#sizeOf(item) + 1 <= this.#limit
  }

  #sizeOf(item: WireItem): number {
    return this.#measured ? item.bytes : item.maxBytes
  }
}
