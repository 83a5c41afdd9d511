import type { Database } from '../store/database.ts'
import { findLanesWithWork } from '../store/find-lanes-with-work.ts'
import { isBulk, type Lane, laneKey } from '../store/lane.ts'
import { promoteScheduled } from '../store/promote-scheduled.ts'
import { setRelayIdle } from '../store/relay-idle.ts'
import type { Breakers } from './breakers.ts'
import { type LaneJob, type LaneJobs, queueOf } from './lane-jobs.ts'
import { Signal } from './signal.ts'

/** While lanes are worked no wake-up is sent: lanes that get work meanwhile are found by looking this often. */
const BUSY_LOOK_MS = 20
/** The same while none but bulk lanes are worked: a live event that comes then is not to notice. */
const BULK_LOOK_MS = 10
/** Delayed intents that fall due are looked for at most this often. */
const PROMOTE_MS = 200
/** Workers of bulk lanes, as a share of those of live ones: on top of them, so that a backfill takes none away. */
const BULK_SHARE = 1 / 4
/** After a failure of the database. */
const PAUSE_AFTER_ERROR_MS = 1_000
/** The idle flag is said again this often: another relay may have taken it down and died. */
const IDLE_AGAIN_MS = 5_000

export interface DispatcherOptions {
  readonly db: Database
  readonly jobs: LaneJobs
  readonly breakers: Breakers
  /** Lanes of one destination worked at a time, bulk lanes not counted. */
  readonly capacity: number
  readonly pollIntervalMs: number
  readonly serves: (destination: string) => boolean
  /** Works one lane to the end of its turn; never rejects. */
  readonly work: (job: LaneJob) => Promise<void>
  readonly onUnserved: (destination: string) => void
  readonly onError: (error: Error) => void
}

/**
 * Decides which lanes are worked: those with intents whose destination is not held back. It offers them to the
 * fleet as pg-boss jobs and takes as many as it has room for.
 */
export class Dispatcher {
  readonly #options: DispatcherOptions
  readonly #signal = new Signal()
  readonly #active = new Map<string, { readonly job: LaneJob; readonly done: Promise<void> }>()
  readonly #heldBack = new Map<string, number>()
  #stopped = false
  #syncDue = true
  #idleSaidAt = Number.NEGATIVE_INFINITY
  #promotedAt = Number.NEGATIVE_INFINITY
  #syncedAt = Number.NEGATIVE_INFINITY
  #loop: Promise<void> | undefined

  constructor(options: DispatcherOptions) {
    this.#options = options
  }

  get active(): LaneJob[] {
    return [...this.#active.values()].map(({ job }) => job)
  }

  start(): void {
    this.#loop ??= this.#run()
  }

  /** Something has changed: look now. */
  wake(kind: 'work' | 'breaker'): void {
    if (kind === 'breaker') this.#syncDue = true
    this.#signal.raise()
  }

  /** Not to be started again before: its destination's rate limit said so. */
  holdBack(lane: Lane, ms: number): void {
    if (ms > 0) this.#heldBack.set(laneKey(lane), performance.now() + ms)
  }

  /** Takes no more lanes, and waits for those that are worked to end their turn. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#signal.raise()
    await this.#loop
    await Promise.all([...this.#active.values()].map(({ done }) => done))
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      try {
        await this.#signal.wait(await this.#look())
      } catch (error) {
        this.#options.onError(error as Error)
        this.#syncDue = true
        await this.#signal.wait(PAUSE_AFTER_ERROR_MS)
      }
    }
  }

  /** One look: find, offer, take. Returns how long to wait for the next one, in ms. */
  async #look(): Promise<number> {
    const { db, breakers, pollIntervalMs } = this.#options
    const began = performance.now()
    // Also without a word: a notification may have been lost, and a person may have changed a row by hand.
    if (this.#syncDue || breakers.stale || began - this.#syncedAt >= pollIntervalMs) {
      this.#syncDue = false
      this.#syncedAt = began
      await breakers.sync()
    }
    await this.#promote()
    const lanes = this.#startable(await findLanesWithWork(db))
    if (lanes.length > 0) {
      const queues = Map.groupBy(lanes, queueOf)
      await Promise.all([this.#sayIdle(false), ...[...queues].map((entry) => this.#take(...entry))])
    }
    const held = this.#heldForMs()
    const wait = Math.max(1, Math.min(breakers.waitMs ?? pollIntervalMs, held, pollIntervalMs))
    if (this.#active.size > 0) {
      const lookMs = this.active.every(({ lane }) => isBulk(lane)) ? BULK_LOOK_MS : BUSY_LOOK_MS
      // A look that is slow, through dead rows under an old snapshot, is had less often.
      return Math.min(wait, Math.max(lookMs, 5 * (performance.now() - began)))
    }
    if (lanes.length > 0) return wait // another relay works them, or a backoff is on
    const slept = this.#idleSaidAt > Number.NEGATIVE_INFINITY
    await this.#sayIdle(true)
    // What committed between the look and the flag was told nobody: look once more before sleeping.
    return slept ? wait : 0
  }

  /**
   * Every destination has workers of its own, and its bulk lanes have others: a slow API, a long backlog or a
   * backfill keeps nobody else waiting.
   */
  async #take(queue: string, lanes: readonly Lane[]): Promise<void> {
    const { jobs, capacity } = this.#options
    const bulk = lanes.some(isBulk)
    const active = this.active.filter(({ lane }) => queueOf(lane) === queue).length
    const room = (bulk ? Math.max(1, Math.floor(capacity * BULK_SHARE)) : capacity) - active
    if (room <= 0) return
    await jobs.offer(queue, lanes)
    for (const job of await jobs.take(queue, room)) this.#begin(job)
  }

  async #promote(): Promise<void> {
    const now = performance.now()
    if (now - this.#promotedAt < PROMOTE_MS) return
    this.#promotedAt = now
    await promoteScheduled(this.#options.db)
  }

  /**
   * Where one probe is due every lane is offered, though the breaker lets one in: a dead relay may still have the
   * job of whichever lane were chosen.
   */
  #startable(lanes: readonly Lane[]): Lane[] {
    return lanes.filter((lane) => {
      if (!this.#options.serves(lane.destination)) {
        this.#options.onUnserved(lane.destination)
        return false
      }
      if (this.#active.has(laneKey(lane)) || this.#isHeldBack(lane)) return false
      return this.#options.breakers.get(lane.destination).eligibility() !== 'none'
    })
  }

  #isHeldBack(lane: Lane): boolean {
    return (this.#heldBack.get(laneKey(lane)) ?? 0) > performance.now()
  }

  /** Until the first lane that is held back may start; those whose time has come are forgotten. */
  #heldForMs(): number {
    const now = performance.now()
    for (const [key, until] of this.#heldBack) if (until <= now) this.#heldBack.delete(key)
    return Math.min(...this.#heldBack.values()) - now
  }

  #begin(job: LaneJob): void {
    const key = laneKey(job.lane)
    const done = this.#options.work(job).finally(() => {
      this.#active.delete(key)
      this.#signal.raise() // a job offered while the lane's job was active was refused: look again
    })
    this.#active.set(key, { job, done })
  }

  async #sayIdle(idle: boolean): Promise<void> {
    const now = performance.now()
    if (idle ? now - this.#idleSaidAt < IDLE_AGAIN_MS : this.#idleSaidAt === Number.NEGATIVE_INFINITY) return
    await setRelayIdle(this.#options.db, idle)
    this.#idleSaidAt = idle ? now : Number.NEGATIVE_INFINITY
  }
}
