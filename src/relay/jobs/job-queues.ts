import { randomUUID } from 'node:crypto'
import { type JobAttempt, PgBoss } from 'pg-boss'
import { Connections } from '../../store/connection/connection.ts'
import type { Database } from '../../store/connection/database.ts'
import { type BossDatabase, openBossDatabase } from '../../store/jobs/boss-database.ts'
import { namesOf } from '../../store/names.ts'
import { acceptsStartupOptions } from '../../store/connection/startup-options.ts'
import { recordSilences } from '../../store/jobs/record-silences.ts'
import { releaseJobs } from '../../store/jobs/release-jobs.ts'
import { readHeartbeats } from '../../store/jobs/read-heartbeats.ts'
import { HeartbeatWatch } from './heartbeat-watch.ts'

/** pg-boss needs this setting of a queue, although its supervision is switched off: see `HeartbeatWatch`. */
const HEARTBEAT_SECONDS = 10
/** Milliseconds between two readings of heartbeats while work waits: a dead relay may hold their jobs. */
const READ_HEARTBEATS_MS = 2_000
/** Milliseconds between two readings of heartbeats while no work waits. */
const READ_HEARTBEATS_IDLE_MS = 60_000
/**
 * Milliseconds to wait for an answer. Shorter than the time after which a worker counts as dead, so that a relay with a dead
 * connection does not look dead.
 */
const ANSWER_MS = 5_000
/** The commit of a job waits for no flush: if a crash of the server loses the job, it is made again. */
const NO_FLUSH = '-c synchronous_commit=off'

/** pg-boss' code for a queue that has no row. */
const QUEUE_NOT_FOUND = 'PGBOSS_QUEUE_NOT_FOUND'

/** Work that is handed out. Its key is unique in its queue. */
export interface Work {
  readonly key: string
  /** Stored in the job, as JSON. */
  readonly data: object
}

/** A job that this relay has taken. */
export interface Job extends JobAttempt {
  readonly queue: string
  readonly data: object
}

export interface JobQueuesOptions {
  readonly db: Database
  readonly connectionString: string
  readonly schema?: string | undefined
  readonly onError: (error: Error) => void
}

/**
 * Hands work out across the fleet with pg-boss. It gives each piece of work to at most one worker, takes it back from a dead
 * one, and keeps the backoff of work that failed. Jobs are disposable: the tables of the outbox say which work there is.
 *
 * The relay fetches the jobs itself. pg-boss' workers poll each on its own, and neither a retry that falls due nor a job
 * that was taken back wakes them.
 */
export class JobQueues {
  readonly #options: JobQueuesOptions
  readonly #connections: Connections
  readonly #heartbeats = new HeartbeatWatch()
  readonly #queues = new Map<string, Promise<void>>()
  /** Ends of jobs that are not yet recorded in pg-boss, by the job's id. */
  readonly #unrecordedEnds = new Map<string, () => Promise<unknown>>()
  #started: PgBoss | undefined
  #db: BossDatabase | undefined
  #heartbeatsReadAt = Number.NEGATIVE_INFINITY
  #releasing: Promise<void> | undefined

  constructor(options: JobQueuesOptions) {
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
   * Makes a job for each piece of work that has none. The policy `exclusive` refuses a second job for a key, whether the first
   * is waiting or active.
   *
   * @returns the keys that had no job.
   */
  async offer(queue: string, works: readonly Work[]): Promise<Set<string>> {
    await this.#recordEnds()
    const jobs = works.map(({ key, data }) => ({ id: randomUUID(), data, singletonKey: key }))
    const insert = () => this.#boss.insert(queue, jobs, { returnId: true })
    const made = new Set(await this.#onQueue(queue, insert))
    return new Set(jobs.flatMap(({ id, singletonKey }) => (made.has(id) ? [singletonKey] : [])))
  }

  /** Takes up to `count` jobs of a queue that wait for a worker. */
  async take(queue: string, count: number): Promise<Job[]> {
    const jobs = await this.#onQueue(queue, () => this.#boss.fetch<object>(queue, { batchSize: count }))
    return jobs.map(({ id, retryCount, data }) => ({ id, retryCount, queue, data }))
  }

  /** Writes the heartbeats of the jobs that this relay works. */
  async heartbeat(jobs: readonly Job[]): Promise<void> {
    const queues = Map.groupBy(jobs, ({ queue }) => queue)
    await Promise.all(
      [...queues].map(([queue, some]) =>
        this.#onQueue(queue, () => this.#boss.touch(queue, some.map(attemptOf))),
      ),
    )
  }

  /** Records that the work is done. It may be offered again. */
  async finish(job: Job): Promise<void> {
    await this.#end(job, () => this.#boss.deleteJob(job.queue, attemptOf(job)))
  }

  /** Records that the work has failed. It waits 1 s, doubled with each failure in a row up to 30 s, with jitter. */
  async fail(job: Job, message: string): Promise<void> {
    await this.#end(job, () => this.#boss.fail(job.queue, attemptOf(job), { message }))
  }

  /** Removes the jobs of a queue that wait for a worker, also those in a backoff. */
  async deleteWaiting(queue: string): Promise<void> {
    await this.#onQueue(queue, () => this.#boss.deleteQueuedJobs(queue))
  }

  /**
   * Takes back the jobs of dead workers, in the background: at most once in 2 s, or once in 60 s if no work waits.
   *
   * @param isAnyWaiting Whether there is work that this relay does not do.
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

  /** Lets the next relay go on from what this one has seen of silent workers. For the end, when its own jobs have ended. */
  async recordSilences(): Promise<void> {
    await this.#releasing
    if (!this.#heartbeats.hasWorkers) return
    await this.#releaseDead()
    const { silences } = this.#heartbeats
    if (silences.length > 0) await recordSilences(this.#options.db, silences)
  }

  /** Ends what is running, then closes the connections. */
  async stop(): Promise<void> {
    await this.#releasing
    await this.close()
  }

  /** Closes the connections, whatever is running. */
  async close(): Promise<void> {
    if (!this.#started) return
    await this.#connections.close(this.#started.stop({ graceful: false }).finally(() => this.#db?.close()))
  }

  async #releaseDead(): Promise<void> {
    const dead = this.#heartbeats.read(await readHeartbeats(this.#options.db))
    if (dead.length > 0) await releaseJobs(this.#options.db, dead)
  }

  async #end({ queue, id }: Job, end: () => Promise<unknown>): Promise<void> {
    const record = () => this.#onQueue(queue, end)
    this.#unrecordedEnds.set(id, record)
    await record()
    this.#unrecordedEnds.delete(id)
  }

  /**
   * Records ends that could not be recorded before. Otherwise their jobs stay active without a worker, and block the work
   * until the heartbeats are missed. Each record names the attempt of its job, so nothing happens if another worker has the
   * work meanwhile.
   */
  async #recordEnds(): Promise<void> {
    for (const [id, record] of [...this.#unrecordedEnds]) {
      await record().then(
        () => this.#unrecordedEnds.delete(id),
        () => {}, // the next offer tries again, or the heartbeat is missed
      )
    }
  }

  get #boss(): PgBoss {
    if (!this.#started) throw new Error('Expected JobQueues to be started, got a call before start()')
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
      // Work may take hours: heartbeats, not time, show that a worker died.
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

function attemptOf({ id, retryCount }: Job): JobAttempt {
  return { id, retryCount }
}
