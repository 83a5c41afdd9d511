/** Lets one of equal things through in a while, and counts the others. */
export class Seldom {
  readonly #everyMs: number
  readonly #seen = new Map<string, { until: number; held: number }>()

  constructor(everyMs: number) {
    this.#everyMs = everyMs
  }

  /** How many were held back since the last that was let through; undefined for one that is held back itself. */
  count(key: string): number | undefined {
    const now = performance.now()
    const last = this.#seen.get(key)
    if (last && now < last.until) {
      last.held++
      return undefined
    }
    for (const [other, { until }] of this.#seen) if (until <= now) this.#seen.delete(other)
    this.#seen.set(key, { until: now + this.#everyMs, held: 0 })
    return last?.held ?? 0
  }
}
