import { type Lane, laneKey } from '../../store/lanes/lane.ts'
import type { IdleWait } from '../turn/idle-wait.ts'
import { type LaneJob, queueOf } from './lane-jobs.ts'

interface ActiveLane {
  readonly job: LaneJob
  readonly idleWait: IdleWait
  /** Resolves when the turn has ended. */
  readonly done: Promise<void>
}

/** The lanes whose turn runs in this relay. A lane is at work, or idle: drained, and waiting for its next intent. */
export class ActiveLanes {
  readonly #lanes = new Map<string, ActiveLane>()

  get jobs(): LaneJob[] {
    return [...this.#lanes.values()].map(({ job }) => job)
  }

  /** The lanes at work: all that are not idle. */
  get atWork(): Lane[] {
    return [...this.#lanes.values()].filter(({ idleWait }) => !idleWait.isWaiting).map(({ job }) => job.lane)
  }

  has(lane: Lane): boolean {
    return this.#lanes.has(laneKey(lane))
  }

  /**
   * Adds a lane until its turn has ended.
   *
   * @param turn Its turn. Never rejects.
   * @param onEnd Called when the turn has ended.
   */
  add(job: LaneJob, idleWait: IdleWait, turn: Promise<void>, onEnd: () => void): void {
    const key = laneKey(job.lane)
    // If another relay held the lane meanwhile, a former turn of this relay may still run. It is about to end, because the
    // fence refuses its statements.
    const former = this.#lanes.get(key)?.done
    const done = Promise.all([turn, former]).then(() => {
      if (this.#lanes.get(key)?.job === job) this.#lanes.delete(key)
      onEnd()
    })
    this.#lanes.set(key, { job, idleWait, done })
  }

  /**
   * Passes a notification to the turn of a lane.
   *
   * @param key The lane's `laneKey`.
   * @returns whether this relay works the lane.
   */
  notify(key: string): boolean {
    const lane = this.#lanes.get(key)
    lane?.idleWait.notify()
    return lane !== undefined
  }

  /** Ends the wait of those of `lanes` that are idle: a poll found work in them. */
  wake(lanes: readonly Lane[]): void {
    for (const lane of lanes) this.#lanes.get(laneKey(lane))?.idleWait.wake()
  }

  /** Hands idle lanes back unless `mayStay` allows their destination. */
  endIdleUnless(mayStay: (destination: string) => boolean): void {
    for (const { job, idleWait } of this.#lanes.values()) {
      if (idleWait.isWaiting && !mayStay(job.lane.destination)) idleWait.end()
    }
  }

  /** How many lanes of a queue are at work. */
  countAtWork(queue: string): number {
    return this.#of(queue).filter(({ idleWait }) => !idleWait.isWaiting).length
  }

  /** Hands back as many idle lanes of a queue as it has lanes above `workers`. */
  endIdleAbove(workers: number, queue: string): void {
    const lanes = this.#of(queue)
    const surplus = Math.max(0, lanes.length - workers)
    const idle = lanes.filter(({ idleWait }) => idleWait.isWaiting)
    for (const { idleWait } of idle.slice(0, surplus)) idleWait.end()
  }

  /** Hands every lane back: an idle one now, one at work when it is drained. */
  endAll(): void {
    for (const { idleWait } of this.#lanes.values()) idleWait.end()
  }

  /** Resolves when every turn has ended. */
  async allDone(): Promise<void> {
    await Promise.all([...this.#lanes.values()].map(({ done }) => done))
  }

  #of(queue: string): ActiveLane[] {
    return [...this.#lanes.values()].filter(({ job }) => queueOf(job.lane) === queue)
  }
}
