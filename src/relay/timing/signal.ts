/** Wakes one waiting loop. A signal that is raised while nobody waits is kept for the next wait. */
export class Signal {
  #raised = false
  #wake: (() => void) | undefined

  raise(): void {
    this.#raised = true
    this.#wake?.()
  }

  /** Resolves when raised, or after `ms`; tells which. */
  async wait(ms: number): Promise<'raised' | 'timeout'> {
    if (!this.#raised) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ms)
        this.#wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
      this.#wake = undefined
    }
    const raised = this.#raised
    this.#raised = false
    return raised ? 'raised' : 'timeout'
  }
}
