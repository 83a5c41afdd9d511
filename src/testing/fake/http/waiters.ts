interface Waiter {
  readonly reached: () => boolean
  readonly resolve: () => void
  readonly reject: (reason: Error) => void
  readonly timer: NodeJS.Timeout
}

/** Promises that resolve when a condition, asked after every request, holds. */
export class Waiters {
  readonly #waiting = new Set<Waiter>()

  wait(reached: () => boolean, timeoutMs: number, describe: () => string): Promise<void> {
    if (reached()) return Promise.resolve()
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(waiter)
        reject(new Error(`Expected the condition within ${timeoutMs} ms; received by then: ${describe()}`))
      }, timeoutMs)
      const waiter = { reached, resolve, reject, timer }
      this.#waiting.add(waiter)
    })
  }

  /** A condition that throws rejects its promise. */
  check(): void {
    for (const waiter of this.#waiting) {
      try {
        if (waiter.reached()) this.#end(waiter, waiter.resolve)
      } catch (error) {
        this.#end(waiter, () => waiter.reject(error as Error))
      }
    }
  }

  close(): void {
    for (const waiter of this.#waiting)
      this.#end(waiter, () => waiter.reject(new Error('The fake Customer.io was closed')))
  }

  #end(waiter: Waiter, settle: () => void): void {
    clearTimeout(waiter.timer)
    this.#waiting.delete(waiter)
    settle()
  }
}
