import { randomUUID } from 'node:crypto'
import { EventEmitter } from 'node:events'
import { hostname } from 'node:os'
import { acceptCopy } from '../store/origin/accept-copy.ts'
import { CopiedDatabaseError } from '../store/origin/copied-database-error.ts'
import { type Database, openDatabase } from '../store/connection/database.ts'
import { ensurePartitions } from '../store/fleet/ensure-partitions.ts'
import { findCopy } from '../store/origin/find-copy.ts'
import { registerWorkspaces } from '../store/fleet/register-workspaces.ts'
import { findReadyLanes } from '../store/lanes/find-ready-lanes.ts'
import { maintain } from '../store/fleet/maintain.ts'
import { notify } from '../store/fleet/notify.ts'
import { probeNow } from '../store/breakers/probe-now.ts'
import { readHorizon } from '../store/lanes/read-horizon.ts'
import { ROW_FORMAT } from '../store/lanes/read-lane.ts'
import { removeRelay, reportRelay } from '../store/fleet/relay-registry.ts'
import { requireSchemaVersion } from '../store/migrate/schema-version.ts'
import { resetLanes } from '../store/lanes/reset-lanes.ts'
import { Timers } from './timing/timers.ts'
import { VERSION } from '../version.ts'
import { Breakers } from './breaker/breakers.ts'
import { checkRegions } from './destination/check-regions.ts'
import { OutageReporter } from './wake-up/outage-reporter.ts'
import { Destinations } from './destination/destinations.ts'
import { Dispatcher } from './dispatch/dispatcher.ts'
import type { RelayEvents } from './events.ts'
import { WriteHorizon } from './turn/write-horizon.ts'
import { LaneJobs } from './dispatch/lane-jobs.ts'
import { LaneJobRunner } from './dispatch/lane-job-runner.ts'
import {
  type RelayOptions,
  type ResolvedRelayOptions,
  resolveRelayOptions,
  resolveWorkspaces,
  type WorkspaceOptions,
} from './options.ts'
import { Partitions } from './turn/partitions.ts'
import { PollRecord } from './dispatch/poll-record.ts'
import { waitUntilDrained } from './dispatch/wait-until-drained.ts'
import { Listener } from './wake-up/listener.ts'

/** How `stop()` ends. */
export interface StopOptions {
  /**
   * Milliseconds for which it goes on first, until no lane of this relay's destinations holds anything: delayed
   * intents are not waited for. Default: 0.
   */
  readonly drainMs?: number
}

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
  readonly #drained = new AbortController()
  readonly #timers = new Timers((error) => this.#report(error))
  readonly #db: Database
  readonly #jobs: LaneJobs
  readonly #destinations: Destinations
  readonly #breakers: Breakers
  readonly #dispatcher: Dispatcher
  readonly #wakeUp: Listener
  readonly #watch: OutageReporter
  readonly #polls = new PollRecord()
  #workspaces: ResolvedRelayOptions['workspaces']
  /** Set by `start()`: before it, the schema may not even be there. */
  #isOriginChecked = false
  #isCopyFound = false
  #starting: Promise<void> | undefined
  #ending: Promise<void> | undefined

  constructor(options: ResolvedRelayOptions) {
    super()
    this.#options = options
    this.#workspaces = options.workspaces
    const { connectionString, schema } = options
    const listenConnectionString = options.listenConnectionString ?? connectionString
    const onError = (error: Error) => this.#report(error)
    this.#watch = new OutageReporter({
      onLost: ({ message }) => this.emit('databaseLost', { message }),
      onBack: (afterMs) => this.emit('databaseBack', { afterMs }),
      onListening: () => this.emit('listening', { relayId: this.relayId }),
      onNotListening: (reason, { message }) =>
        this.emit('notListening', {
          reason,
          message,
          through: options.listenConnectionString ? 'listenConnectionString' : 'connectionString',
          pollIntervalMs: options.pollIntervalMs,
        }),
      onError: (error) => this.#tell(error),
      poll: () => this.#dispatcher.wake('work'),
    })
    this.#db = openDatabase({
      connectionString,
      schema,
      max: options.connections,
      applicationName: 'customerio-outbox relay',
      onConnect: async (query) => {
        const copy = this.#isOriginChecked ? await findCopy(query, this.#db.names) : undefined
        if (copy) throw copy
      },
      onError,
    })
    this.#jobs = new LaneJobs({ db: this.#db, connectionString, schema, onError })
    this.#destinations = new Destinations(this.#db, options.requestTimeoutMs, options.workspaces)
    this.#breakers = new Breakers({
      db: this.#db,
      relayId: this.relayId,
      served: () => this.destinations,
      settings: options,
      onChange: (destination, from, to) => this.#breakerChanged(destination, from, to),
      onError,
    })
    const horizon = new WriteHorizon(
      () => readHorizon(this.#db),
      async (from, to) => {
        await resetLanes(this.#db)
        this.emit('sequenceRewound', { from: from.lastSeq, to: to.lastSeq })
      },
    )
    const turns = new LaneJobRunner({
      db: this.#db,
      relayId: this.relayId,
      batchSize: options.batchSize,
      intentRetry: options.intentRetry,
      pollIntervalMs: options.pollIntervalMs,
      horizon,
      partitions: new Partitions({
        make: () => ensurePartitions(this.#db),
        stopping: this.#stopping.signal,
        onError,
      }),
      stopping: this.#stopping.signal,
      jobs: this.#jobs,
      destinations: this.#destinations,
      breakers: this.#breakers,
      holdBack: (lane, ms) => this.#dispatcher.coolDown(lane, ms),
      emit: (name, ...payload) => this.emit(name, ...(payload as never)),
      onError,
    })
    this.#dispatcher = new Dispatcher({
      db: this.#db,
      jobs: this.#jobs,
      breakers: this.#breakers,
      horizon,
      capacity: options.lanes,
      pollIntervalMs: options.pollIntervalMs,
      served: () => this.destinations,
      serves: (destination) => this.#destinations.get(destination) !== undefined,
      work: (job, linger) => turns.run(job, linger),
      onUnserved: (destination) => this.emit('unserved', { destination }),
      hears: () => this.#wakeUp.isListening,
      onLooked: () => {
        this.#polls.succeeded()
        this.#watch.pollSucceeded()
      },
      onLookFailed: (error) => {
        this.#polls.failed(error)
        this.#watch.pollFailed(error)
      },
      onError,
    })
    this.#wakeUp = new Listener({
      connectionString: listenConnectionString,
      names: this.#db.names,
      notify: (channel, payload) => notify(this.#db, channel, payload),
      onNotification: (news) => this.#dispatcher.notified(news),
      onListening: () => this.#watch.listening(),
      onBroken: onError,
      onNotListening: (reason, error) => this.#watch.notListening(reason, error),
    })
  }

  /**
   * Joins the fleet. Resolves when the relay takes part; a second call gives the same promise.
   *
   * @throws Error with one line where the schema is missing, too old or too new. It never migrates.
   * @throws CopiedDatabaseError if the database is a copy of the one that the outbox belongs to, without `acceptCopy`.
   * @throws WrongRegionError where Customer.io says that a workspace lives in another region than its settings.
   */
  start(): Promise<void> {
    this.#starting ??= this.#start()
    return this.#starting
  }

  /**
   * Finishes the requests that are under way, settles them, hands the lanes back and closes every connection.
   * Also during `start()`, and more than once: without `drainMs` a second call ends the draining of the first.
   */
  stop({ drainMs = 0 }: StopOptions = {}): Promise<void> {
    if (drainMs === 0) this.#drained.abort()
    this.#ending ??= this.#stop(drainMs)
    return this.#ending
  }

  /** Whether it finds what was committed: false after two polls in a row have failed, until one succeeds. */
  get canPoll(): boolean {
    return this.#polls.failure === undefined
  }

  /** The destinations that this relay has credentials for: `default/track`. */
  get destinations(): readonly string[] {
    return this.#destinations.names
  }

  /**
   * Puts other settings in force for every request from now on, in place of all that were given before: a new key,
   * region, workspace. Intents of a workspace that is left out wait. A destination whose settings have changed
   * is tried at once if its breaker is paused or open, unless a person has paused it.
   *
   * @throws InvalidSettingError | WrongRegionError and nothing changes.
   */
  async updateWorkspaces(workspaces: Readonly<Record<string, WorkspaceOptions>>): Promise<void> {
    const resolved = resolveWorkspaces(workspaces)
    const changed = Object.entries(resolved).filter(
      ([name, settings]) => JSON.stringify(settings) !== JSON.stringify(this.#workspaces[name]),
    )
    await this.#checkRegions(Object.fromEntries(changed))
    this.#workspaces = resolved
    const destinations = await this.#destinations.update(resolved)
    // The next maintenance registers them if this fails.
    await registerWorkspaces(this.#db, Object.keys(resolved)).catch((error) => this.#report(error))
    // They are in force all the same: without it the next probe comes when it is due.
    await probeNow(this.#db, destinations).catch((error) => this.#report(error))
    this.emit('workspacesUpdated', { destinations })
    this.#dispatcher.destinationsChanged(destinations)
  }

  async #checkRegions(workspaces: ResolvedRelayOptions['workspaces']): Promise<void> {
    if (!this.#options.checkRegion) return
    await checkRegions(workspaces, this.#options.requestTimeoutMs, (unchecked) =>
      this.emit('regionUnchecked', unchecked),
    )
  }

  async #checkOrigin(): Promise<void> {
    const copy = await findCopy((text) => this.#db.query(text), this.#db.names)
    if (copy && !this.#options.acceptCopy) throw copy
    if (copy) {
      await acceptCopy(this.#db)
      const { origin, found, pending } = copy
      this.emit('copyAccepted', { origin: origin?.databaseName, found: found.databaseName, pending })
    }
    this.#isOriginChecked = true
  }

  async #start(): Promise<void> {
    const schema = await requireSchemaVersion(this.#db)
    if (schema.version > schema.supported) this.emit('schemaAhead', schema)
    await this.#checkOrigin()
    await this.#checkRegions(this.#workspaces)
    if (this.#ending !== undefined) return
    await this.#jobs.start()
    await this.#reportAlive()
    await this.#maintain()
    await this.#wakeUp.start()
    if (this.#ending !== undefined) return // it was stopped meanwhile, and takes no part
    this.#timers.every(HEARTBEAT_MS, () => this.#reportAlive())
    this.#timers.every(MAINTENANCE_MS, () => this.#maintain())
    this.#dispatcher.start()
    this.emit('started', { relayId: this.relayId })
  }

  async #stop(drainMs: number): Promise<void> {
    await this.#starting?.catch(() => {}) // start() has told its caller
    if (drainMs > 0 && this.#dispatcher.isRunning) await this.#drain(drainMs)
    this.#stopping.abort()
    await this.#wakeUp.stop()
    await this.#dispatcher.stop()
    // Not before: a lane whose last request is under way must not be taken for abandoned. And the last report must not come
    // after the relay's row was removed.
    await this.#timers.stop()
    await removeRelay(this.#db, this.relayId).catch((error) => this.#report(error))
    await this.#jobs.stop().catch((error) => this.#report(error))
    await this.#destinations.close()
    await this.#db.close()
    this.emit('stopped', { relayId: this.relayId })
  }

  async #drain(withinMs: number): Promise<void> {
    const lanesLeft = await waitUntilDrained({
      lanesLeft: async () =>
        (await findReadyLanes(this.#db, { served: this.destinations, except: [] })).lanes.length,
      withinMs,
      given: this.#drained.signal,
      onError: (error) => this.#report(error),
    })
    this.emit('drained', { lanesLeft })
  }

  #breakerChanged(
    ...[destination, from, to]: Parameters<ConstructorParameters<typeof Breakers>[0]['onChange']>
  ): void {
    this.emit('breaker', { destination, from, to })
    if (to !== 'closed' || this.#ending !== undefined) return
    this.#jobs
      .endBackoffs(destination)
      .catch((error) => this.#ending === undefined && this.#report(error)) // its waits end with the relay
      .finally(() => this.#dispatcher.wake('work'))
  }

  async #maintain(): Promise<void> {
    await maintain(this.#db, {
      workspaces: Object.keys(this.#workspaces),
      deliveredDays: this.#options.deliveredRetentionDays,
    })
  }

  async #reportAlive(): Promise<void> {
    // First, and on pg-boss' own connections: a lane that is worked must not be taken for abandoned.
    await this.#jobs.heartbeat(this.#dispatcher.active)
    const identity = {
      relayId: this.relayId,
      host: hostname(),
      pid: process.pid,
      version: VERSION,
      format: ROW_FORMAT,
    }
    await reportRelay(this.#db, identity, this.#polls.failure)
  }

  #report(error: Error): void {
    this.#watch.report(error)
  }

  /** Nothing that this database holds is to be sent. */
  #stopAtCopy(copy: CopiedDatabaseError): void {
    if (this.#isCopyFound) return
    this.#isCopyFound = true
    if (this.listenerCount('copyFound') > 0) this.emit('copyFound', copy)
    else process.emitWarning(copy.message, 'CustomerioOutboxWarning')
    void this.stop()
  }

  /** An 'error' event that nobody listens to would end the process: a warning instead. */
  #tell(error: Error): void {
    if (error instanceof CopiedDatabaseError) this.#stopAtCopy(error)
    else if (this.listenerCount('error') > 0) this.emit('error', error)
    else process.emitWarning(error.message, 'CustomerioOutboxWarning')
  }
}
