import { setTimeout as delay } from 'node:timers/promises'
import type { Sight } from './read-sight.ts'

const READ_EVERY_MS = 200

export interface MonitorOptions {
  readonly read: () => Promise<Sight>
  /** @param begunAt When the read began, as `performance.now()` gives it. */
  readonly onSight: (sight: Sight, begunAt: number) => void
}

/** Reads the outbox's state while the demo runs, as an operator would. */
export class Monitor {
  readonly #options: MonitorOptions
  readonly #waiting = new Set<(sight: Sight) => void>()

  constructor(options: MonitorOptions) {
    this.#options = options
  }

  /** Reads again and again until `signal` is aborted. Rejects if a read fails. */
  async watch(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const begunAt = performance.now()
      const sight = await this.#options.read()
      if (signal.aborted) return
      this.#options.onSight(sight, begunAt)
      for (const take of [...this.#waiting]) take(sight)
      await delay(READ_EVERY_MS, undefined, { signal }).catch(() => {}) // it rejects on abort, which also ends the loop
    }
  }

  /** Resolves with the first sight of `watch` that `isWanted` accepts; undefined after `withinMs`. */
  async until(
    isWanted: (sight: Sight) => boolean,
    withinMs: number,
    signal: AbortSignal,
  ): Promise<Sight | undefined> {
    const found = Promise.withResolvers<Sight>()
    const take = (sight: Sight) => {
      if (isWanted(sight)) found.resolve(sight)
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
