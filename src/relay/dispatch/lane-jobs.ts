/**
 * Four records say that a relay works a lane. Each is the truth for one question, and none repeats another:
 *
 * | record                                  | question                                      | written                         |
 * | --------------------------------------- | --------------------------------------------- | ------------------------------- |
 * | the lane's job in pg-boss               | which worker has it, or when may one take it  | at offer, take and end of a turn |
 * | its heartbeat (`heartbeat_on`)          | does that worker live                         | every 3 s, for active jobs only |
 * | `outbox.lanes` (`epoch`, `relay_id`)    | may this turn settle                          | at the claim and the release    |
 * | `outbox.relays` (`last_seen_at`)        | does this relay run, and can it poll          | every 3 s, also while it is idle |
 *
 * - Before any record, each relay filters the lanes that it offers, from its own memory (`#mayStart` of dispatcher.ts):
 *   credentials, the breaker, cooldowns, and lanes that it works already.
 * - A job decides which worker starts. It may be outdated: a worker that was stopped for 10 s loses its job without noticing.
 * - So the fence in `outbox.lanes` decides which turn may settle. It needs no clock and no heartbeat.
 * - Neither heartbeat replaces the other. An idle relay has no job, and health must see it. A job may be taken before its
 *   lane is claimed, and then only its own heartbeat shows that its worker died.
 * - `outbox.relays` is for operators and for `outbox.health`. No lane is handed out or taken back by it.
 */
import { isBulk, type Lane, laneKey } from '../../store/lanes/lane.ts'
import type { Job, JobQueues } from '../jobs/job-queues.ts'

/** Every destination has a queue for its lanes and one for its bulk lanes. */
const QUEUE_KINDS = ['lanes', 'bulk-lanes'] as const

/** The queue of a lane's job. */
export function queueOf(lane: Lane): string {
  const [live, bulk] = QUEUE_KINDS
  return `${isBulk(lane) ? bulk : live}/${lane.destination}`
}

/** A job that this relay has taken, and its lane. */
export interface LaneJob extends Job {
  readonly lane: Lane
}

/**
 * Hands lanes out across the fleet. A job names its lane and has no payload: the dispatcher can always make it again from
 * `outbox.intents`.
 */
export class LaneJobs {
  readonly #queues: JobQueues

  constructor(queues: JobQueues) {
    this.#queues = queues
  }

  /**
   * Makes a job for each lane that has none.
   *
   * @returns the keys of the lanes that had no job.
   */
  offer(queue: string, lanes: readonly Lane[]): Promise<Set<string>> {
    return this.#queues.offer(
      queue,
      lanes.map(({ destination, lane }) => ({
        key: laneKey({ destination, lane }),
        data: { destination, lane },
      })),
    )
  }

  /** Takes up to `count` jobs of a queue that wait for a worker. */
  async take(queue: string, count: number): Promise<LaneJob[]> {
    const jobs = await this.#queues.take(queue, count)
    return jobs.map((job) => ({ ...job, lane: job.data as Lane }))
  }

  /** Records that the turn is over. The lane may be offered again. */
  finish(job: LaneJob): Promise<void> {
    return this.#queues.finish(job)
  }

  /** Records that the turn has failed. The lane waits, longer with each failure in a row. */
  fail(job: LaneJob, message: string): Promise<void> {
    return this.#queues.fail(job, message)
  }

  /** Ends the backoff of every lane of a destination that works again. The dispatcher makes the jobs again at once. */
  async endBackoffs(destination: string): Promise<void> {
    for (const kind of QUEUE_KINDS) await this.#queues.deleteWaiting(`${kind}/${destination}`)
  }

  /** Takes back the jobs of dead workers. `isAnyWaiting`: a lane has work, and this relay does not work it. */
  releaseDeadWorkers(isAnyWaiting: boolean): void {
    this.#queues.releaseDeadWorkers(isAnyWaiting)
  }
}
