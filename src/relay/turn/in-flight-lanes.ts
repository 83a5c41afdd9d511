/** A lane reads ahead only while at most this many lanes of the relay have a batch in flight. */
const FEW = 4

/**
 * Counts the lanes that have a batch in flight. While they are few, each lane reads its next batch during its request. If
 * they are many, the relay always has another lane to send from, and reading ahead would only keep twice as many intents in
 * memory.
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
