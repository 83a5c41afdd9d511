import { isBulk, type Lane } from '../../store/lanes/lane.ts'
import type { ActiveLanes } from './active-lanes.ts'
import { type LaneJob, type LaneJobs, queueOf } from './lane-jobs.ts'
import { OfferedLanes } from './offered-lanes.ts'

/**
 * Workers of bulk lanes, as a share of those of live lanes. They come in addition, so that a backfill takes no worker from
 * live lanes.
 */
const BULK_WORKER_SHARE = 1 / 4

/**
 * Offers lanes to the fleet as pg-boss jobs, and takes as many as this relay has workers for.
 *
 * Every destination has workers of its own, and others for its bulk lanes. So a slow API or a long backlog delays no other
 * destination, and a backfill delays no live lane.
 */
export class LaneHandOut {
  readonly #jobs: LaneJobs
  readonly #active: ActiveLanes
  readonly #capacity: number
  readonly #offered = new OfferedLanes()
  #isFull = false

  /** @param capacity Workers of one destination, not counting those of bulk lanes. */
  constructor(jobs: LaneJobs, active: ActiveLanes, capacity: number) {
    this.#jobs = jobs
    this.#active = active
    this.#capacity = capacity
  }

  /** Whether the last poll may have found more lanes than workers. Then lanes that this or another relay offered may wait. */
  get isFull(): boolean {
    return this.#isFull
  }

  /** Whether a lane that shares workers with `lane` was offered and has no worker yet. */
  hasWaitingBeside(lane: Lane): boolean {
    return [...this.#offered.waiting].some((other) => queueOf(other) === queueOf(lane))
  }

  /** Forgets lanes that have no more work. */
  keepOnly(lanes: readonly Lane[]): void {
    this.#offered.keepOnly(lanes)
  }

  /** Makes the next poll offer every lane again, because something has changed. */
  retry(): void {
    this.#offered.retry()
  }

  /**
   * Makes jobs for these lanes, takes jobs of the same queues, and starts their turns.
   *
   * @param start Starts the turn of a lane.
   */
  async handOut(lanes: readonly Lane[], start: (job: LaneJob) => void): Promise<void> {
    this.#isFull = false
    const queues = [...Map.groupBy(lanes, queueOf)]
    await Promise.all(
      queues.map(async ([queue, lanesOfQueue]) => {
        const workers = lanesOfQueue.some(isBulk) ? bulkWorkers(this.#capacity) : this.#capacity
        const hasOffered = await this.#offer(queue, lanesOfQueue)
        const room = workers - this.#active.countAtWork(queue)
        this.#isFull ||= room <= 0
        const mayHaveJobs = hasOffered || lanesOfQueue.some((lane) => this.#offered.isWaiting(lane))
        if (room <= 0 || !mayHaveJobs) return
        const jobs = await this.#take(queue, room)
        for (const job of jobs) start(job)
        // An idle lane gives its worker to a lane that waits for one, also if another relay has offered that lane.
        this.#active.endIdleAbove(workers, queue)
      }),
    )
  }

  /** @returns whether any lane was due to be offered. */
  async #offer(queue: string, lanes: readonly Lane[]): Promise<boolean> {
    const due = this.#offered.due(lanes)
    if (due.length > 0) this.#offered.record(due, await this.#jobs.offer(queue, due))
    return due.length > 0
  }

  async #take(queue: string, room: number): Promise<LaneJob[]> {
    const jobs = await this.#jobs.take(queue, room)
    this.#isFull ||= jobs.length === room
    for (const { lane } of jobs) this.#offered.taken(lane)
    return jobs
  }
}

function bulkWorkers(capacity: number): number {
  return Math.max(1, Math.floor(capacity * BULK_WORKER_SHARE))
}
