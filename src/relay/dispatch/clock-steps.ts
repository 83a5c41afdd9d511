/** Tells the steps of another machine's clock by this process' monotonic one. */
export class ClockSteps {
  readonly #monotonic: () => number
  #last: { readonly clockMs: number; readonly at: number } | undefined

  constructor(monotonic = () => performance.now()) {
    this.#monotonic = monotonic
  }

  /** What the other clock says now if it has not stepped since the last reading; undefined before the first one. */
  get expectedMs(): number | undefined {
    return this.#last && this.#last.clockMs + this.#monotonic() - this.#last.at
  }

  /**
   * @param clockMs What the other clock says now, in milliseconds.
   * @returns the milliseconds by which it has gone ahead since the last reading, beyond those that have passed;
   * negative if it has gone back, 0 at the first reading.
   */
  read(clockMs: number): number {
    const at = this.#monotonic()
    const last = this.#last ?? { clockMs, at }
    this.#last = { clockMs, at }
    return clockMs - last.clockMs - (at - last.at)
  }
}
