/** Runs tasks at intervals. Its `stop` waits for those that are running. */
export class Timers {
  readonly #onError: (error: Error) => void
  readonly #timers: NodeJS.Timeout[] = []
  readonly #running = new Set<Promise<void>>()

  constructor(onError: (error: Error) => void) {
    this.#onError = onError
  }

  /** Starts `task` every `ms`, whether or not the last run has ended. */
  every(ms: number, task: () => Promise<void>): void {
    const run = () => {
      const running = task()
        .catch((error: Error) => this.#onError(error))
        .finally(() => this.#running.delete(running))
      this.#running.add(running)
    }
    this.#timers.push(setInterval(run, ms))
  }

  /** Starts no more tasks. Resolves when those that are running have ended. */
  async stop(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer)
    await Promise.all(this.#running)
  }
}
