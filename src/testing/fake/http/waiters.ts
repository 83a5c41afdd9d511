interface Waiter {
  readonly reached: () => boolean
  readonly resolve: () => void
  readonly reject: (reason: Error) => void
  readonly timer: NodeJS.Timeout
}

/** Promises that resolve when a condition holds. `check()`, called after every request, evaluates the conditions. */
export class Waiters {
  readonly #waiting = new Set<Waiter>()

  wait(reached: () => boolean, timeoutMs: number, describe: () => string): Promise<void> {
    if (reached()) return Promise.resolve()
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(waiter)
        reject(new Error(`Expected the condition to hold within ${timeoutMs} ms, got ${describe()}`))
      }, timeoutMs)
      const waiter = { reached, resolve, reject, timer }
      this.#waiting.add(waiter)
    })
  }

  /** Evaluates every condition. If one throws, its promise rejects with that error. */
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
