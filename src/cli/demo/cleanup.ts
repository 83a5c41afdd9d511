/** What must be undone, whatever happens, the newest first. */
export class Cleanup {
  readonly #steps: (() => unknown)[] = []

  defer(step: () => unknown): void {
    this.#steps.push(step)
  }

  /** Runs every step once; one that fails does not keep the others from running. */
  async run(): Promise<void> {
    for (let step = this.#steps.pop(); step; step = this.#steps.pop()) {
      try {
        await step()
      } catch {
        // what it was to undo is gone already
      }
    }
  }
}
