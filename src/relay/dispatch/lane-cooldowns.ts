import { type Lane, laneKey } from '../../store/lanes/lane.ts'

/** Lanes that are not to be started again here before a time: a rate limit, or what else their last turn found, said so. */
export class LaneCooldowns {
  readonly #until = new Map<string, number>()

  start(lane: Lane, ms: number): void {
    if (ms > 0) this.#until.set(laneKey(lane), performance.now() + ms)
  }

  has(lane: Lane): boolean {
    return (this.#until.get(laneKey(lane)) ?? 0) > performance.now()
  }

  /** Milliseconds until the first of them may start, Infinity where there is none; those whose time has come are forgotten. */
  get nextEndInMs(): number {
    const now = performance.now()
    for (const [key, until] of this.#until) if (until <= now) this.#until.delete(key)
    return Math.min(...this.#until.values()) - now
  }
}
