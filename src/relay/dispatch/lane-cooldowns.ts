import { type Lane, laneKey } from '../../store/lanes/lane.ts'

/** Lanes that must not start again in this relay before a certain time, because their last turn ended with a wait. */
export class LaneCooldowns {
  readonly #until = new Map<string, number>()

  start(lane: Lane, ms: number): void {
    if (ms > 0) this.#until.set(laneKey(lane), performance.now() + ms)
  }

  has(lane: Lane): boolean {
    return (this.#until.get(laneKey(lane)) ?? 0) > performance.now()
  }

  /** Milliseconds until the first cooldown ends, Infinity if there is none. Forgets those that are over. */
  get nextEndInMs(): number {
    const now = performance.now()
    for (const [key, until] of this.#until) if (until <= now) this.#until.delete(key)
    return Math.min(...this.#until.values()) - now
  }
}
