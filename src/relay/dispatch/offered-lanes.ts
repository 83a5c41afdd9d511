import { type Lane, laneKey } from '../../store/lanes/lane.ts'

/** A lane that was offered and not had is another's, or waits: it is not offered again before. */
const AGAIN_MS = 100

/** What became of the lanes that this relay has offered to the fleet. */
export class OfferedLanes {
  readonly #until = new Map<string, number>()
  /** Offered, and nobody had them then: they wait for a worker. */
  readonly #waiting = new Map<string, Lane>()

  /** Of lanes with work, those to offer now. */
  due(lanes: readonly Lane[]): Lane[] {
    const now = performance.now()
    return lanes.filter((lane) => (this.#until.get(laneKey(lane)) ?? 0) <= now)
  }

  /** These were offered, and of these `created` had no job before. */
  offered(lanes: readonly Lane[], created: ReadonlySet<string>): void {
    const until = performance.now() + AGAIN_MS
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

  begun(lane: Lane): void {
    this.#until.delete(laneKey(lane))
    this.#waiting.delete(laneKey(lane))
  }

  /** Lanes without work any more are forgotten. */
  keepOnly(lanes: readonly Lane[]): void {
    const keys = new Set(lanes.map(laneKey))
    for (const key of this.#waiting.keys()) if (!keys.has(key)) this.#waiting.delete(key)
    for (const key of this.#until.keys()) if (!keys.has(key)) this.#until.delete(key)
  }

  /** Something has changed: every lane may be offered at once. */
  retry(): void {
    this.#until.clear()
  }
}
