import { setTimeout as delay } from 'node:timers/promises'

const RETRY_MS = 1_000

export interface PartitionsOptions {
  /**
   * Makes the partitions for the database's current day.
   *
   * @param payloadDays For how many days the settlement keeps payloads. Undefined: it keeps none.
   */
  readonly make: (payloadDays: number | undefined) => Promise<void>
  readonly stopping: AbortSignal
  /** Reports that the partitions cannot be made. Called again only if the reason changes. */
  readonly onError: (error: Error) => void
}

/**
 * Makes the partition that a settlement misses after the database's clock has jumped by days. Without the partition nothing
 * can be settled. So until it exists, no lane sends, and a lane that has sent waits with its settlement. Otherwise each turn
 * would send the same intents again.
 */
export class Partitions {
  readonly #options: PartitionsOptions
  #making: Promise<boolean> | undefined

  constructor(options: PartitionsOptions) {
    this.#options = options
  }

  /** Resolves at once or, while a partition is being made, when `make` does. */
  async ready(): Promise<void> {
    await this.#making
  }

  /**
   * Tries to make the partition once a second. All lanes share the tries. If the lanes need other partitions than the first one
   * did, their settlements fail again, and they call again.
   *
   * @returns true when the partition exists, false if the relay is stopping.
   */
  make(payloadDays: number | undefined): Promise<boolean> {
    this.#making ??= this.#make(payloadDays).finally(() => {
      this.#making = undefined
    })
    return this.#making
  }

  async #make(payloadDays: number | undefined): Promise<boolean> {
    const { make, stopping, onError } = this.#options
    for (let reported = ''; !stopping.aborted; ) {
      try {
        await make(payloadDays)
        return true
      } catch (error) {
        const { message } = error as Error
        if (message !== reported) onError(cannotBeMade(error as Error))
        reported = message
        await delay(RETRY_MS, undefined, { signal: stopping }).catch(() => {})
      }
    }
    return false
  }
}

function cannotBeMade(cause: Error): Error {
  return new Error(
    `delivered or archive has no partition for today, and it cannot be created: ${cause.message}. Nothing is sent until it exists`,
    { cause },
  )
}
