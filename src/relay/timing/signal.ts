/** Wakes one loop. If no loop waits when it is raised, the next wait ends at once. */
export class Signal {
  #isRaised = false
  #wake: (() => void) | undefined

  raise(): void {
    this.#isRaised = true
    this.#wake?.()
  }

  /** Waits until the signal is raised, or for `ms`. */
  async wait(ms: number): Promise<'raised' | 'timeout'> {
    if (!this.#isRaised) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ms)
        this.#wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
      this.#wake = undefined
    }
    const isRaised = this.#isRaised
    this.#isRaised = false
    return isRaised ? 'raised' : 'timeout'
  }
}
