import type { Heartbeat } from '../../store/jobs/read-heartbeats.ts'

/**
 * A worker beats every 3 s. One that was seen not to beat for this long has died. pg-boss, whose own supervision is not used,
 * takes no less for a queue's setting.
 */
export const DEAD_AFTER_MS = 10_000
/** The same if the heartbeat is older than `DEAD_AFTER_MS` by the database's clock: that alone may be a step of the clock. */
const SILENT_MS = 5_000
/** After a longer pause between two readings nothing is known: the database may have been away, and no worker could beat. */
const PAUSE_MS = 5_000

/**
 * Finds the workers that have died, by this process' monotonic clock. The database's clock alone cannot tell: if it steps
 * ahead, the heartbeats of workers that live look missed.
 */
export class HeartbeatWatch {
  readonly #now: () => number
  /** By the job's id: its heartbeat, and when it was seen first. */
  #seen = new Map<string, { readonly heartbeat: string; readonly since: number }>()
  #readAt = Number.NEGATIVE_INFINITY

  constructor(now = () => performance.now()) {
    this.#now = now
  }

  /** @returns the jobs of workers that have died: their heartbeat has not changed in readings without a pause. */
  read(heartbeats: readonly Heartbeat[]): Heartbeat[] {
    const now = this.#now()
    const former = now - this.#readAt > PAUSE_MS ? undefined : this.#seen
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
