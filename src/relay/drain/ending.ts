/** When a drain takes no more work: its time is up, or its caller aborts it. */
export class Ending {
  readonly #deadline: number
  readonly #caller: AbortSignal | undefined
  readonly #ended = new AbortController()
  readonly #timer: NodeJS.Timeout
  readonly #end = () => this.#ended.abort()

  /** @param caller The caller's signal. */
  constructor(forMs: number, caller: AbortSignal | undefined) {
    this.#deadline = performance.now() + forMs
    this.#caller = caller
    this.#timer = setTimeout(this.#end, forMs)
    if (caller?.aborted) this.#end()
    else caller?.addEventListener('abort', this.#end, { once: true })
  }

  /** Aborted when the drain takes no more work. */
  get signal(): AbortSignal {
    return this.#ended.signal
  }

  get leftMs(): number {
    return this.signal.aborted ? 0 : Math.max(0, this.#deadline - performance.now())
  }

  get cause(): 'time_is_up' | 'aborted' {
    return this.#caller?.aborted ? 'aborted' : 'time_is_up'
  }

  /** Resolves with what `work` resolves with, or with undefined `graceMs` after the drain takes no more work. */
  async withGrace<T>(graceMs: number, work: Promise<T>): Promise<T | undefined> {
    const { promise: late, resolve } = Promise.withResolvers<undefined>()
    let timer: NodeJS.Timeout | undefined
    const startGrace = () => {
      timer = setTimeout(() => resolve(undefined), graceMs)
    }
    if (this.signal.aborted) startGrace()
    else this.signal.addEventListener('abort', startGrace, { once: true })
    try {
      return await Promise.race([work, late])
    } finally {
      this.signal.removeEventListener('abort', startGrace)
      clearTimeout(timer)
    }
  }

  /** Removes the timer and the listener. */
  close(): void {
    clearTimeout(this.#timer)
    this.#caller?.removeEventListener('abort', this.#end)
  }
}
