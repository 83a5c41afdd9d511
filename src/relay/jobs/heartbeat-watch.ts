import type { Heartbeat } from '../../store/jobs/read-heartbeats.ts'
import type { Silence } from '../../store/jobs/record-silences.ts'

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

interface Seen {
  readonly heartbeat: string
  /** Since when this process has seen this heartbeat. */
  readonly since: number
  /** Milliseconds for which earlier processes have seen it. */
  readonly beforeMs: number
}

/**
 * Finds the workers that have died, by this process' monotonic clock. The database's clock is not enough: if it steps
 * ahead, the heartbeats of live workers look missed.
 *
 * A process that ends sooner than it can tell records what it has seen (`silences`), and the next one adds its own time,
 * until the sum is `DEAD_AFTER_MS`. A live worker never comes near that sum. It writes a heartbeat every 3 s, so no heartbeat
 * is watched for longer before an outage of the database, and none for longer after it.
 */
export class HeartbeatWatch {
  readonly #now: () => number
  /** By the id of the job. */
  #seen = new Map<string, Seen>()
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
      heartbeats.map(({ id, heartbeat, silentMs }) => {
        const known = former?.get(id)
        return [id, known?.heartbeat === heartbeat ? known : { heartbeat, since: now, beforeMs: silentMs }]
      }),
    )
    return heartbeats.filter(({ id, ageMs }) => {
      const { since, beforeMs } = this.#seen.get(id) ?? { since: now, beforeMs: 0 }
      const watchedMs = now - since
      return watchedMs + beforeMs >= DEAD_AFTER_MS || (ageMs >= DEAD_AFTER_MS && watchedMs >= SILENT_MS)
    })
  }

  /** Whether the last reading found any worker. */
  get hasWorkers(): boolean {
    return this.#seen.size > 0
  }

  /** How long each worker has been silent, as of the last reading. */
  get silences(): Silence[] {
    return [...this.#seen]
      .map(([id, { heartbeat, since, beforeMs }]) => ({
        id,
        heartbeat,
        silentMs: this.#readAt - since + beforeMs,
      }))
      .filter(({ silentMs }) => silentMs > 0)
  }
}
