/** The most lanes of one relay that read ahead at a time. */
const FEW = 4

/**
 * Counts the lanes that have a batch in flight. A lane reads its next batch meanwhile only if few do. With many, there is
 * always another lane to send from, and reading ahead would only keep twice as many intents in memory.
 */
export class InFlightLanes {
  #lanes = 0

  get areFew(): boolean {
    return this.#lanes <= FEW
  }

  async track<T>(work: () => Promise<T>): Promise<T> {
    this.#lanes++
    try {
      return await work()
    } finally {
      this.#lanes--
    }
  }
}
