import { setTimeout as delay } from 'node:timers/promises'

/** Milliseconds that one step may take. */
const STEP_TIMEOUT_MS = 8_000

/** Undoes what a run set up, the newest step first. */
export class Cleanup {
  readonly #steps: (() => unknown)[] = []

  defer(step: () => unknown): void {
    this.#steps.push(step)
  }

  /** Runs every step once. A step that fails or hangs does not stop the others. */
  async run(): Promise<void> {
    for (let step = this.#steps.pop(); step; step = this.#steps.pop()) {
      try {
        await Promise.race([step(), delay(STEP_TIMEOUT_MS, undefined, { ref: false })])
      } catch {
        // most often the process has ended already; the other steps must run in any case
      }
    }
  }
}
