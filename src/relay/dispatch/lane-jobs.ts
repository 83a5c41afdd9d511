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

/** Every destination has a queue for its lanes and one for its bulk lanes; a job carries its lane and no payload. */
export function queueOf(lane: Lane): string {
  return `${isBulk(lane) ? 'bulk-lanes' : 'lanes'}/${lane.destination}`
}

/** pg-boss' setting of a queue. Its supervision is not used: see `HeartbeatWatch`. */
const HEARTBEAT_SECONDS = 10
/** Between two readings of heartbeats while lanes wait for a worker: a relay that died may hold them. */
const PASS_SECONDS = 2
/** The same while none waits: nobody misses the jobs of a relay that died until there is work. */
const RESTING_PASS_SECONDS = 60
/** Shorter than what a heartbeat may be late: a dead connection must not look like a dead relay. */
const ANSWER_MS = 5_000
/** A lane job that a crash of the server loses is made again: it needs no flush of its own. */
const NO_FLUSH = '-c synchronous_commit=off'

/** pg-boss' code for a queue that has no row. */
const QUEUE_NOT_FOUND = 'PGBOSS_QUEUE_NOT_FOUND'

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
 * The hand-out of lanes across the fleet: pg-boss gives each lane to at most one worker, takes it back from one
 * that died, and keeps the backoff of one that failed. Its jobs are disposable: the dispatcher makes them again
 * from `outbox.intents`.
 *
 * Jobs are fetched by the dispatcher itself and not by pg-boss' workers: those poll each for themselves, and
 * neither a retry that falls due nor a job taken back from a dead worker wakes them.
 */
export class LaneJobs {
  readonly #options: LaneJobsOptions
  readonly #connections: Connections
  readonly #heartbeats = new HeartbeatWatch()
  readonly #queues = new Map<string, Promise<void>>()
  /** How turns ended that the database could not be told of, by lane. */
  readonly #untold = new Map<string, () => Promise<unknown>>()
  #started: PgBoss | undefined
  #db: BossDatabase | undefined
  #tendedAt = Number.NEGATIVE_INFINITY
  #tending: Promise<void> | undefined

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
    await this.#tend()
  }

  get #boss(): PgBoss {
    if (!this.#started) throw new Error('lane jobs are asked for before the relay has started')
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
   * Runs `work` on a queue, and once more on a queue that was made again: a failover may have lost the queue's row, which
   * pg-boss notices with the first job that is inserted.
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
      // A lane may be worked for as long as it has work: the heartbeat tells a dead worker, not the time.
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

  /**
   * Makes a job for each lane that has none: `exclusive` refuses a second one, waiting or active.
   *
   * @returns the keys of the lanes that had none.
   */
  async offer(queue: string, lanes: readonly Lane[]): Promise<Set<string>> {
    await this.#tellUntold()
    const jobs = lanes.map(({ destination, lane }) => ({
      id: randomUUID(),
      data: { destination, lane },
      singletonKey: laneKey({ destination, lane }),
    }))
    const insert = () => this.#boss.insert(queue, jobs, { returnId: true })
    const made = new Set(await this.#onQueue(queue, insert))
    return new Set(jobs.flatMap(({ id, singletonKey }) => (made.has(id) ? [singletonKey] : [])))
  }

  /** Takes up to `count` lanes of a queue that nobody works. */
  async take(queue: string, count: number): Promise<LaneJob[]> {
    const jobs = await this.#onQueue(queue, () => this.#boss.fetch<Lane>(queue, { batchSize: count }))
    return jobs.map(({ id, retryCount, data }) => ({ id, retryCount, lane: data }))
  }

  /** Says that the lanes are being worked. */
  async heartbeat(jobs: readonly LaneJob[]): Promise<void> {
    const queues = Map.groupBy(jobs, ({ lane }) => queueOf(lane))
    await Promise.all(
      [...queues].map(([queue, some]) =>
        this.#onQueue(queue, () => this.#boss.touch(queue, some.map(attempt))),
      ),
    )
  }

  /** The turn is over; the lane may be offered again. */
  async finish(job: LaneJob): Promise<void> {
    await this.#end(job, () => this.#boss.deleteJob(queueOf(job.lane), attempt(job)))
  }

  /** The lane waits: 1 s, doubled with each failure in a row up to 30 s, with jitter. */
  async fail(job: LaneJob, message: string): Promise<void> {
    await this.#end(job, () => this.#boss.fail(queueOf(job.lane), attempt(job), { message }))
  }

  async #end({ lane }: LaneJob, end: () => Promise<unknown>): Promise<void> {
    const tell = () => this.#onQueue(queueOf(lane), end)
    this.#untold.set(laneKey(lane), tell)
    await tell()
    this.#untold.delete(laneKey(lane))
  }

  /**
   * A job whose end could not be told is active for nobody, and keeps its lane from the fleet until its heartbeat is
   * missed. What is told late is told of that attempt alone: if the lane was taken meanwhile, nothing happens.
   */
  async #tellUntold(): Promise<void> {
    for (const [key, tell] of [...this.#untold]) {
      await tell().then(
        () => this.#untold.delete(key),
        () => {}, // it is told next time, or the heartbeat says it
      )
    }
  }

  /** Ends every wait: the destination is back. The dispatcher makes the jobs again at once. */
  async endBackoffs(destination: string): Promise<void> {
    for (const lane of [0, 16]) {
      const queue = queueOf({ destination, lane })
      await this.#onQueue(queue, () => this.#boss.deleteQueuedJobs(queue))
    }
  }

  /**
   * Takes back the jobs of workers that died, in the background and no more often than it is worth.
   *
   * @param waiting Whether lanes have work that nobody here works.
   */
  releaseDeadWorkers(waiting: boolean): void {
    const everyMs = (waiting ? PASS_SECONDS : RESTING_PASS_SECONDS) * 1_000
    if (this.#tending || performance.now() - this.#tendedAt < everyMs) return
    this.#tendedAt = performance.now()
    this.#tending = this.#tend()
      .catch((error: Error) => this.#options.onError(error))
      .finally(() => {
        this.#tending = undefined
      })
  }

  async #tend(): Promise<void> {
    const dead = this.#heartbeats.read(await readHeartbeats(this.#options.db))
    if (dead.length > 0) await releaseJobs(this.#options.db, dead)
  }

  async stop(): Promise<void> {
    await this.#tending
    if (!this.#started) return
    await this.#connections.close(this.#started.stop({ graceful: false }).finally(() => this.#db?.close()))
  }
}

function attempt({ id, retryCount }: LaneJob): JobAttempt {
  return { id, retryCount }
}
