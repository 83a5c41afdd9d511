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
import { randomUUID } from 'node:crypto'
import { type JobAttempt, PgBoss } from 'pg-boss'
import { Connections } from '../../store/connection/connection.ts'
import type { Database } from '../../store/connection/database.ts'
import { isBulk, type Lane, laneKey } from '../../store/lanes/lane.ts'
import { type BossDatabase, openBossDatabase } from '../../store/jobs/boss-database.ts'
import { namesOf } from '../../store/names.ts'
import { acceptsStartupOptions } from '../../store/connection/startup-options.ts'
import { releaseJobs } from '../../store/jobs/release-jobs.ts'
import { readHeartbeats } from '../../store/jobs/read-heartbeats.ts'
import { HeartbeatWatch } from './heartbeat-watch.ts'

/** Every destination has a queue for its lanes and one for its bulk lanes. */
const QUEUE_KINDS = ['lanes', 'bulk-lanes'] as const

/** The queue of a lane's job. */
export function queueOf(lane: Lane): string {
  const [live, bulk] = QUEUE_KINDS
  return `${isBulk(lane) ? bulk : live}/${lane.destination}`
}

/** pg-boss needs this setting of a queue, although its supervision is switched off: see `HeartbeatWatch`. */
const HEARTBEAT_SECONDS = 10
/** Milliseconds between two readings of heartbeats while lanes wait for a worker: a dead relay may hold their jobs. */
const READ_HEARTBEATS_MS = 2_000
/** Milliseconds between two readings of heartbeats while no lane waits. */
const READ_HEARTBEATS_IDLE_MS = 60_000
/**
 * Milliseconds to wait for an answer. Shorter than the time after which a worker counts as dead, so that a relay with a dead
 * connection does not look dead.
 */
const ANSWER_MS = 5_000
/** The commit of a job waits for no flush: if a crash of the server loses the job, the dispatcher makes it again. */
const NO_FLUSH = '-c synchronous_commit=off'

/** pg-boss' code for a queue that has no row. */
const QUEUE_NOT_FOUND = 'PGBOSS_QUEUE_NOT_FOUND'

/** A job that this relay has taken, and its lane. */
export interface LaneJob extends JobAttempt {
  readonly lane: Lane
}

export interface LaneJobsOptions {
  readonly db: Database
  readonly connectionString: string
  readonly schema?: string | undefined
  readonly onError: (error: Error) => void
}

/**
 * Hands lanes out across the fleet with pg-boss. It gives each lane to at most one worker, takes it back from a dead one, and
 * keeps the backoff of a lane that failed. A job names its lane and has no payload. Jobs are disposable: the dispatcher makes
 * them again from `outbox.intents`.
 *
 * The dispatcher fetches the jobs itself. pg-boss' workers poll each on its own, and neither a retry that falls due nor a job
 * that was taken back wakes them.
 */
export class LaneJobs {
  readonly #options: LaneJobsOptions
  readonly #connections: Connections
  readonly #heartbeats = new HeartbeatWatch()
  readonly #queues = new Map<string, Promise<void>>()
  /** Ends of turns that are not yet recorded in pg-boss, by lane. */
  readonly #unrecordedEnds = new Map<string, () => Promise<unknown>>()
  #started: PgBoss | undefined
  #db: BossDatabase | undefined
  #heartbeatsReadAt = Number.NEGATIVE_INFINITY
  #releasing: Promise<void> | undefined

  constructor(options: LaneJobsOptions) {
    this.#options = options
    this.#connections = new Connections({
      connectionString: options.connectionString,
      applicationName: 'customerio-outbox relay jobs',
      queryTimeoutMs: ANSWER_MS,
    })
  }

  async start(): Promise<void> {
    const { connectionString, schema, onError } = this.#options
    const accepted = await acceptsStartupOptions(connectionString, NO_FLUSH)
    const names = namesOf(schema)
    const db = openBossDatabase(
      { ...this.#connections.config, max: 2, ...(accepted ? { options: NO_FLUSH } : {}) },
      names,
      onError,
    )
    const boss = new PgBoss({
      db,
      schema: names.boss,
      migrate: false,
      createSchema: false,
      schedule: false,
      supervise: false, // see HeartbeatWatch
      registerInstance: false,
    })
    boss.on('error', onError)
    this.#started = boss
    this.#db = db
    await boss.start()
    await this.#releaseDead()
  }

  /**
   * Makes a job for each lane that has none. The policy `exclusive` refuses a second job for a lane, whether the first is
   * waiting or active.
   *
   * @returns the keys of the lanes that had no job.
   */
  async offer(queue: string, lanes: readonly Lane[]): Promise<Set<string>> {
    await this.#recordEnds()
    const jobs = lanes.map(({ destination, lane }) => ({
      id: randomUUID(),
      data: { destination, lane },
      singletonKey: laneKey({ destination, lane }),
    }))
    const insert = () => this.#boss.insert(queue, jobs, { returnId: true })
    const made = new Set(await this.#onQueue(queue, insert))
    return new Set(jobs.flatMap(({ id, singletonKey }) => (made.has(id) ? [singletonKey] : [])))
  }

  /** Takes up to `count` jobs of a queue that wait for a worker. */
  async take(queue: string, count: number): Promise<LaneJob[]> {
    const jobs = await this.#onQueue(queue, () => this.#boss.fetch<Lane>(queue, { batchSize: count }))
    return jobs.map(({ id, retryCount, data }) => ({ id, retryCount, lane: data }))
  }

  /** Writes the heartbeats of the jobs that this relay works. */
  async heartbeat(jobs: readonly LaneJob[]): Promise<void> {
    const queues = Map.groupBy(jobs, ({ lane }) => queueOf(lane))
    await Promise.all(
      [...queues].map(([queue, some]) =>
        this.#onQueue(queue, () => this.#boss.touch(queue, some.map(attemptOf))),
      ),
    )
  }

  /** Records that the turn is over. The lane may be offered again. */
  async finish(job: LaneJob): Promise<void> {
    await this.#end(job, () => this.#boss.deleteJob(queueOf(job.lane), attemptOf(job)))
  }

  /** Records that the turn has failed. The lane waits 1 s, doubled with each failure in a row up to 30 s, with jitter. */
  async fail(job: LaneJob, message: string): Promise<void> {
    await this.#end(job, () => this.#boss.fail(queueOf(job.lane), attemptOf(job), { message }))
  }

  /** Ends the backoff of every lane of a destination that works again. The dispatcher makes the jobs again at once. */
  async endBackoffs(destination: string): Promise<void> {
    for (const kind of QUEUE_KINDS) {
      const queue = `${kind}/${destination}`
      await this.#onQueue(queue, () => this.#boss.deleteQueuedJobs(queue))
    }
  }

  /**
   * Takes back the jobs of dead workers, in the background: at most once in 2 s, or once in 60 s if no lane waits.
   *
   * @param isAnyWaiting Whether a lane has work and this relay does not work it.
   */
  releaseDeadWorkers(isAnyWaiting: boolean): void {
    const everyMs = isAnyWaiting ? READ_HEARTBEATS_MS : READ_HEARTBEATS_IDLE_MS
    if (this.#releasing || performance.now() - this.#heartbeatsReadAt < everyMs) return
    this.#heartbeatsReadAt = performance.now()
    this.#releasing = this.#releaseDead()
      .catch((error: Error) => this.#options.onError(error))
      .finally(() => {
        this.#releasing = undefined
      })
  }

  async stop(): Promise<void> {
    await this.#releasing
    if (!this.#started) return
    await this.#connections.close(this.#started.stop({ graceful: false }).finally(() => this.#db?.close()))
  }

  async #releaseDead(): Promise<void> {
    const dead = this.#heartbeats.read(await readHeartbeats(this.#options.db))
    if (dead.length > 0) await releaseJobs(this.#options.db, dead)
  }

  async #end({ lane }: LaneJob, end: () => Promise<unknown>): Promise<void> {
    const record = () => this.#onQueue(queueOf(lane), end)
    this.#unrecordedEnds.set(laneKey(lane), record)
    await record()
    this.#unrecordedEnds.delete(laneKey(lane))
  }

  /**
   * Records the ends of turns that could not be recorded before. Otherwise their jobs stay active without a worker, and block
   * the lanes until the heartbeats are missed. Each record names the attempt of its job, so nothing happens if a worker has
   * taken the lane meanwhile.
   */
  async #recordEnds(): Promise<void> {
    for (const [key, record] of [...this.#unrecordedEnds]) {
      await record().then(
        () => this.#unrecordedEnds.delete(key),
        () => {}, // the next offer tries again, or the heartbeat is missed
      )
    }
  }

  get #boss(): PgBoss {
    if (!this.#started) throw new Error('Expected LaneJobs to be started, got a call before start()')
    return this.#started
  }

  /** Makes a queue, once. */
  #queue(name: string): Promise<void> {
    const made = this.#queues.get(name) ?? this.#createQueue(name)
    this.#queues.set(name, made)
    made.catch(() => this.#queues.delete(name))
    return made
  }

  /**
   * Runs `work` on a queue. If the queue's row is gone, makes it again and runs `work` once more: a failover may have lost the
   * row, and pg-boss notices with the first job that is inserted.
   */
  async #onQueue<T>(name: string, work: () => Promise<T>): Promise<T> {
    await this.#queue(name)
    try {
      return await work()
    } catch (error) {
      if ((error as { code?: unknown }).code !== QUEUE_NOT_FOUND) throw error
      this.#queues.delete(name)
      await this.#queue(name)
      return await work()
    }
  }

  async #createQueue(name: string): Promise<void> {
    const settings = {
      heartbeatSeconds: HEARTBEAT_SECONDS,
      // A lane may be worked for as long as it has work: heartbeats, not time, show that a worker died.
      expireInSeconds: 86_399,
      retryLimit: 1_000_000,
      retryDelay: 1,
      retryBackoff: true,
      retryDelayMax: 30,
      retentionSeconds: 86_400,
      deleteAfterSeconds: 60,
    }
    await this.#boss.createQueue(name, { policy: 'exclusive', ...settings })
    await this.#boss.updateQueue(name, settings)
  }
}

function attemptOf({ id, retryCount }: LaneJob): JobAttempt {
  return { id, retryCount }
}
