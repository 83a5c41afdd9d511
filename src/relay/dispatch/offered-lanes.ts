import { type Lane, laneKey } from '../../store/lanes/lane.ts'

/** Milliseconds until a lane is offered again. Meanwhile another relay has its job, or the job waits for a worker. */
const OFFER_AGAIN_MS = 100

/** The lanes that this relay has offered to the fleet. */
export class OfferedLanes {
  readonly #until = new Map<string, number>()
  /** Lanes whose job this relay made, and which wait for a worker. */
  readonly #waiting = new Map<string, Lane>()

  /** @returns those of `lanes` that are due to be offered now. */
  due(lanes: readonly Lane[]): Lane[] {
    const now = performance.now()
    return lanes.filter((lane) => (this.#until.get(laneKey(lane)) ?? 0) <= now)
  }

  /**
   * Records an offer.
   *
   * @param created The keys of those of `lanes` that had no job before.
   */
  record(lanes: readonly Lane[], created: ReadonlySet<string>): void {
    const until = performance.now() + OFFER_AGAIN_MS
    for (const lane of lanes) {
      const key = laneKey(lane)
      this.#until.set(key, until)
      if (created.has(key)) this.#waiting.set(key, lane)
    }
  }

  get waiting(): Iterable<Lane> {
    return this.#waiting.values()
  }

  isWaiting(lane: Lane): boolean {
    return this.#waiting.has(laneKey(lane))
  }

  /** Forgets the offer of a lane that this relay has taken. */
  taken(lane: Lane): void {
    this.#until.delete(laneKey(lane))
    this.#waiting.delete(laneKey(lane))
  }

  /** Forgets lanes that have no more work. */
  keepOnly(lanes: readonly Lane[]): void {
    const keys = new Set(lanes.map(laneKey))
    for (const key of this.#waiting.keys()) if (!keys.has(key)) this.#waiting.delete(key)
    for (const key of this.#until.keys()) if (!keys.has(key)) this.#until.delete(key)
  }

  /** Makes every lane due at once. */
  retry(): void {
    this.#until.clear()
  }
}
