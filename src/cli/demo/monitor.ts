import { setTimeout as delay } from 'node:timers/promises'
import type { Progress } from './read-progress.ts'

const READ_EVERY_MS = 200

export interface MonitorOptions {
  readonly read: () => Promise<Progress>
  /** @param begunAt When the read began, as `performance.now()` gives it. */
  readonly onProgress: (progress: Progress, begunAt: number) => void
}

/** Reads the outbox's state while the demo runs, as an operator would. */
export class Monitor {
  readonly #options: MonitorOptions
  readonly #waiting = new Set<(progress: Progress) => void>()

  constructor(options: MonitorOptions) {
    this.#options = options
  }

  /** Reads again and again until `signal` is aborted. Rejects if a read fails. */
  async watch(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const begunAt = performance.now()
      const progress = await this.#options.read()
      if (signal.aborted) return
      this.#options.onProgress(progress, begunAt)
      for (const take of [...this.#waiting]) take(progress)
      await delay(READ_EVERY_MS, undefined, { signal }).catch(() => {}) // it rejects on abort, which also ends the loop
    }
  }

  /** Resolves with the first progress that `isWanted` accepts; undefined after `withinMs`. */
  async until(
    isWanted: (progress: Progress) => boolean,
    withinMs: number,
    signal: AbortSignal,
  ): Promise<Progress | undefined> {
    const found = Promise.withResolvers<Progress>()
    const take = (progress: Progress) => {
      if (isWanted(progress)) found.resolve(progress)
    }
    this.#waiting.add(take)
    const timeout = new AbortController()
    const timedOut = delay(withinMs, undefined, { signal: AbortSignal.any([signal, timeout.signal]) })
    timedOut.catch(() => {}) // the race below reports it
    try {
      return await Promise.race([found.promise, timedOut])
    } finally {
      this.#waiting.delete(take)
      timeout.abort()
    }
  }
}
