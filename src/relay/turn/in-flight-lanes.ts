/** As many lanes of one relay as may read ahead at a time. */
const FEW = 4

/**
 * How many lanes have a batch on its way. A lane reads its next batch meanwhile only while few do: with many, there
 * is always another to send from, and reading ahead would keep twice as many intents in memory for nothing.
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
