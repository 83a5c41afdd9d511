import { randomUUID } from 'node:crypto'
import { EventEmitter } from 'node:events'
import { hostname } from 'node:os'
import { toTrackOperation } from '../customerio/operation.ts'
import { createTrackTransport, type Transport } from '../customerio/track-transport.ts'
import type { Operation } from '../intent/intent.ts'
import { type Database, openDatabase } from '../store/database.ts'
import { maintain } from '../store/maintain.ts'
import { readHorizon } from '../store/read-horizon.ts'
import type { QueuedIntent } from '../store/read-lane.ts'
import { removeRelay, reportRelay } from '../store/relay-registry.ts'
import { requireSchemaVersion } from '../store/schema-version.ts'
import type { Settlement } from '../store/settle.ts'
import { VERSION } from '../version.ts'
import { Breakers } from './breakers.ts'
import { Dispatcher } from './dispatcher.ts'
import type { RelayEvents } from './events.ts'
import { Horizon } from './horizon.ts'
import { type LaneJob, LaneJobs } from './lane-jobs.ts'
import { workLane } from './lane-worker.ts'
import { type RelayOptions, type ResolvedRelayOptions, resolveRelayOptions } from './options.ts'
import { WakeUp } from './wake-up.ts'

const HEARTBEAT_MS = 3_000
const MAINTENANCE_MS = 600_000

/**
 * A relay: sends what was committed, in order per person. Run any number of them on one database.
 *
 * @throws InvalidSettingError for a setting that is missing or out of bounds.
 */
export function createRelay(options: RelayOptions): Relay {
  return new Relay(resolveRelayOptions(options))
}

export class Relay extends EventEmitter<RelayEvents> {
  readonly relayId = randomUUID()
  readonly #options: ResolvedRelayOptions
  readonly #stopping = new AbortController()
  readonly #timers: NodeJS.Timeout[] = []
  readonly #unserved = new Set<string>()
  readonly #db: Database
  readonly #jobs: LaneJobs
  readonly #transport: Transport
  readonly #breakers: Breakers
  readonly #dispatcher: Dispatcher
  readonly #wakeUp: WakeUp
  readonly #horizon: Horizon
  #starting: Promise<void> | undefined
  #ending: Promise<void> | undefined

  constructor(options: ResolvedRelayOptions) {
    super()
    this.#options = options
    const { connectionString, schema } = options
    const onError = (error: Error) => this.#report(error)
    this.#db = openDatabase({
      connectionString,
      schema,
      max: options.connections,
      applicationName: 'customerio-outbox relay',
      onError,
    })
    this.#horizon = new Horizon(() => readHorizon(this.#db))
    this.#jobs = new LaneJobs({ connectionString, schema, onError })
    this.#transport = createTrackTransport(options.customerio, options.requestTimeoutMs)
    this.#breakers = new Breakers({
      db: this.#db,
      relayId: this.relayId,
      settings: options,
      onChange: (destination, from, to) => this.#breakerChanged(destination, from, to),
    })
    this.#dispatcher = new Dispatcher({
      db: this.#db,
      jobs: this.#jobs,
      breakers: this.#breakers,
      capacity: options.lanes,
      pollIntervalMs: options.pollIntervalMs,
      serves: (destination) => destination === 'default/track',
      work: (job) => this.#work(job),
      onUnserved: (destination) => this.#tellUnserved(destination),
      onError,
    })
    this.#wakeUp = new WakeUp({
      connectionString,
      names: this.#db.names,
      onNotification: (kind) => this.#dispatcher.wake(kind),
      onError,
    })
  }

  /**
   * Joins the fleet. Resolves when the relay takes part; a second call gives the same promise.
   *
   * @throws Error with one line where the schema is missing, too old or too new. It never migrates.
   */
  start(): Promise<void> {
    this.#starting ??= this.#start()
    return this.#starting
  }

  /**
   * Finishes the requests that are under way, settles them, hands the lanes back and closes every connection.
   * Also during `start()`, and more than once.
   */
  stop(): Promise<void> {
    this.#ending ??= this.#stop()
    return this.#ending
  }

  async #start(): Promise<void> {
    await requireSchemaVersion(this.#db)
    await this.#jobs.start()
    await this.#reportAlive()
    await maintain(this.#db, { deliveredDays: this.#options.deliveredRetentionDays })
    await this.#wakeUp.start()
    this.#every(HEARTBEAT_MS, () => this.#reportAlive())
    this.#every(MAINTENANCE_MS, () =>
      maintain(this.#db, { deliveredDays: this.#options.deliveredRetentionDays }),
    )
    this.#dispatcher.start()
    this.emit('started', { relayId: this.relayId })
  }

  async #stop(): Promise<void> {
    await this.#starting?.catch(() => {}) // start() has told its caller
    this.#stopping.abort()
    for (const timer of this.#timers) clearInterval(timer)
    await this.#wakeUp.stop()
    await this.#dispatcher.stop()
    await removeRelay(this.#db, this.relayId).catch((error) => this.#report(error))
    await this.#jobs.stop().catch((error) => this.#report(error))
    await this.#transport.close()
    await this.#db.close()
    this.emit('stopped', { relayId: this.relayId })
  }

  /** One turn of a lane. Whatever happens, the lane's job is settled or left to its heartbeat. */
  async #work(job: LaneJob): Promise<void> {
    const { lane } = job
    try {
      const outcome = await workLane(
        {
          db: this.#db,
          relayId: this.relayId,
          batchSize: this.#options.batchSize,
          breaker: this.#breakers.get(lane.destination),
          horizon: this.#horizon,
          stopping: this.#stopping.signal,
          toOperation,
          send: (operations) => this.#transport.send(operations),
          onSettled: (settlement) => this.#tellSettled(job, settlement),
        },
        lane,
      )
      if (outcome.kind === 'failed') {
        this.emit('laneFailed', { ...lane, message: outcome.message })
        await this.#jobs.fail(job, outcome.message)
      } else {
        await this.#jobs.finish(job)
      }
    } catch (error) {
      this.#report(error as Error)
      await this.#jobs.fail(job, (error as Error).message).catch((failure) => this.#report(failure))
    } finally {
      this.#breakers.report()
    }
  }

  #tellSettled({ lane }: LaneJob, { delivered, dead }: Settlement): void {
    this.emit('settled', { ...lane, delivered: delivered.length, dead: dead.length })
    for (const { seq, reason, status, field, message } of dead) {
      this.emit('deadLetter', { destination: lane.destination, seq, reason, status, field, message })
    }
  }

  #breakerChanged(
    ...[destination, from, to]: Parameters<ConstructorParameters<typeof Breakers>[0]['onChange']>
  ): void {
    this.emit('breaker', { destination, from, to })
    if (to !== 'closed') return
    this.#jobs
      .forgetWaiting()
      .catch((error) => this.#report(error))
      .finally(() => this.#dispatcher.wake('work'))
  }

  #tellUnserved(destination: string): void {
    if (this.#unserved.has(destination)) return
    this.#unserved.add(destination)
    this.emit('unserved', { destination })
  }

  async #reportAlive(): Promise<void> {
    // First, and on pg-boss' own connections: a lane that is worked must not be taken for abandoned.
    await this.#jobs.heartbeat(this.#dispatcher.active)
    await reportRelay(this.#db, {
      relayId: this.relayId,
      host: hostname(),
      pid: process.pid,
      version: VERSION,
    })
  }

  #every(ms: number, task: () => Promise<void>): void {
    this.#timers.push(setInterval(() => void task().catch((error) => this.#report(error)), ms))
  }

  /** An 'error' event that nobody listens to would end the process: a warning instead. */
  #report(error: Error): void {
    if (this.listenerCount('error') > 0) this.emit('error', error)
    else process.emitWarning(error.message, 'CustomerioOutboxWarning')
  }
}

function toOperation(row: QueuedIntent) {
  return toTrackOperation({ ...row, operation: row.operation as Operation })
}
