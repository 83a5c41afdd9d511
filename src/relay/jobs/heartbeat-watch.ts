import type { Heartbeat } from '../../store/jobs/read-heartbeats.ts'

/**
 * A worker whose heartbeat has not changed for this long is dead. Workers write one every 3 s. 10 s is also the least that
 * pg-boss accepts as a setting of a queue, although its own supervision is switched off.
 */
export const DEAD_AFTER_MS = 10_000
/**
 * Silence of 5 s is enough if the database's clock also says that the heartbeat is older than `DEAD_AFTER_MS`. The
 * database's clock alone proves nothing, because it may have stepped.
 */
const SILENT_MS = 5_000
/** After a longer pause between two readings, earlier ones prove nothing: no worker could write while the database was away. */
const MAX_PAUSE_MS = 5_000

/**
 * Finds the workers that have died, by this process' monotonic clock. The database's clock is not enough: if it steps
 * ahead, the heartbeats of live workers look missed.
 */
export class HeartbeatWatch {
  readonly #now: () => number
  /** By the id of the job: its heartbeat, and since when this process has seen that heartbeat. */
  #seen = new Map<string, { readonly heartbeat: string; readonly since: number }>()
  #readAt = Number.NEGATIVE_INFINITY

  constructor(now = () => performance.now()) {
    this.#now = now
  }

  /** @returns the jobs of dead workers: their heartbeat has not changed in readings without a pause. */
  read(heartbeats: readonly Heartbeat[]): Heartbeat[] {
    const now = this.#now()
    const former = now - this.#readAt > MAX_PAUSE_MS ? undefined : this.#seen
    this.#readAt = now
    this.#seen = new Map(
      heartbeats.map(({ id, heartbeat }) => {
        const known = former?.get(id)
        return [id, known?.heartbeat === heartbeat ? known : { heartbeat, since: now }]
      }),
    )
    return heartbeats.filter(({ id, ageMs }) => {
      const silentMs = now - (this.#seen.get(id)?.since ?? now)
      return silentMs >= (ageMs >= DEAD_AFTER_MS ? SILENT_MS : DEAD_AFTER_MS)
    })
  }
}
