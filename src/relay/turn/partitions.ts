import { setTimeout as delay } from 'node:timers/promises'

const AGAIN_MS = 1_000

export interface PartitionsOptions {
  /** Makes the partitions of the database's today. */
  readonly make: () => Promise<void>
  readonly stopping: AbortSignal
  /** They cannot be made; told once for each reason. */
  readonly onError: (error: Error) => void
}

/**
 * Makes the partition that a settlement misses, after the database's clock has jumped by days. If it cannot be made, nothing
 * can be settled: then no lane sends anything, and what was sent waits for its settlement with its lane. Otherwise each turn
 * would send the same intents again.
 */
export class Partitions {
  readonly #options: PartitionsOptions
  #made: Promise<boolean> | undefined

  constructor(options: PartitionsOptions) {
    this.#options = options
  }

  /** Resolves at once unless a partition is missing; then as `make` does. */
  async ready(): Promise<void> {
    await this.#made
  }

  /** @returns true when the partition is there, false if the relay is stopping. All lanes share one try a second. */
  make(): Promise<boolean> {
    this.#made ??= this.#make().finally(() => {
      this.#made = undefined
    })
    return this.#made
  }

  async #make(): Promise<boolean> {
    const { make, stopping, onError } = this.#options
    for (let told = ''; !stopping.aborted; ) {
      try {
        await make()
        return true
      } catch (error) {
        const { message } = error as Error
        if (message !== told) onError(cannotBeMade(error as Error))
        told = message
        await delay(AGAIN_MS, undefined, { signal: stopping }).catch(() => {})
      }
    }
    return false
  }
}

function cannotBeMade(cause: Error): Error {
  return new Error(
    `delivered has no partition for today and it cannot be made: ${cause.message}: nothing is sent until it is there`,
    { cause },
  )
}
