/**
 * Decides whether a row that was read may replace what this relay knows. A row is stale if this relay changed something
 * after the read began, or is still writing a change: the read may not have seen that change.
 */
export class RowSync {
  /** Raised by every change that this relay makes. */
  #generation = 0
  /** Changes that are on their way to the row. */
  #writing = 0
  #mustReadAgain = false

  get generation(): number {
    return this.#generation
  }

  /** Whether the row must be read again: the last one was stale, or this relay thought something else than the row says. */
  get mustReadAgain(): boolean {
    return this.#mustReadAgain
  }

  /**
   * Whether a row may be applied.
   *
   * @param generation `generation` at the time when the read began.
   */
  accept(generation: number): boolean {
    this.#mustReadAgain = this.#writing > 0 || generation !== this.#generation
    return !this.#mustReadAgain
  }

  /** Records that this relay has changed its state, and that the row agrees already. */
  changed(): void {
    this.#generation++
  }

  /** Records that the row says something else than this relay thought. Reads that have begun may be older than that. */
  invalidate(): void {
    this.#generation++
    this.#mustReadAgain = true
  }

  /** Writes a change to the row. A read that began before the write ended is stale, even if it began after the change. */
  async write<T>(write: () => Promise<T>): Promise<T> {
    this.#generation++
    this.#writing++
    try {
      return await write()
    } finally {
      this.#writing--
      this.#generation++
    }
  }
}
