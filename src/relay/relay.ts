import { randomUUID } from 'node:crypto'
import { EventEmitter } from 'node:events'
import { hostname } from 'node:os'
import { findOpenActions } from '../store/actions/find-open-actions.ts'
import { probeNow } from '../store/breakers/probe-now.ts'
import type { BreakerState } from '../store/breakers/read-breakers.ts'
import { ensurePartitions } from '../store/fleet/ensure-partitions.ts'
import { maintain } from '../store/fleet/maintain.ts'
import { registerWorkspaces } from '../store/fleet/register-workspaces.ts'
import { removeRelay, reportRelay } from '../store/fleet/relay-registry.ts'
import { findReadyLanes } from '../store/lanes/find-ready-lanes.ts'
import { ROW_FORMAT } from '../store/lanes/row-format.ts'
import { requireSchemaVersion, supportedSchemaVersion } from '../store/migrate/schema-version.ts'
import { acceptCopy } from '../store/origin/accept-copy.ts'
import { CopiedDatabaseError } from '../store/origin/copied-database-error.ts'
import { findCopy } from '../store/origin/find-copy.ts'
import { VERSION } from '../version.ts'
import { checkRegions } from './destination/check-regions.ts'
import type { QueueReading } from './dispatch/judge-queue.ts'
import { allPayloadDays } from './destination/payload-days.ts'
import { waitUntilDrained } from './dispatch/wait-until-drained.ts'
import type { RelayEvents } from './events.ts'
import { type ResolvedRelayOptions, resolveRelayOptions, resolveWorkspaces } from './options-schema.ts'
import type { RelayOptions, WorkspaceOptions } from './options.ts'
import { Timers } from './timing/timers.ts'
import { within } from './timing/within.ts'
import { type RelayParts, wireRelay } from './wire-relay.ts'

/**
 * The options of a relay's `stop`.
 *
 * @example
 * ```ts
 * import type { StopOptions } from 'customerio-outbox/relay'
 *
 * const options: StopOptions = { drainMs: 10_000 }
 * await relay.stop(options)
 * ```
 */
export interface StopOptions {
  /**
   * Milliseconds for which the relay keeps delivering before it stops. It stops earlier when no lane of its destinations
   * holds an intent, or when each destination that has intents is stopped for longer than that: its breaker is open, it is
   * paused, or it is rate limited. The relay does not wait for intents that are scheduled for later.
   *
   * @default 0
   */
  readonly drainMs?: number
}

/**
 * Why a relay runs.
 *
 * - `serve`: to deliver until `stop()` is called.
 * - `drain`: for one call of `drain`. It polls instead of listening, because it lives for too short a time to turn
 *   notifications on and off for the whole fleet. An open breaker ends its drain, because the next call can probe.
 */
export type RelayPurpose = 'serve' | 'drain'

const HEARTBEAT_MS = 3_000
const MAINTENANCE_MS = 600_000

/**
 * Creates a relay. It delivers committed intents to Customer.io, in order per person. Any number of relays may run on one
 * database. A relay opens no connection before `start()`.
 *
 * @param options Connection, credentials and limits.
 * @returns the relay, not started.
 * @throws InvalidSettingError if a setting is missing, unknown or out of bounds: `Expected workers to be …, got …`.
 *
 * @example
 * ```ts
 * import { createRelay } from 'customerio-outbox/relay'
 *
 * const relay = createRelay({
 *   connectionString: 'postgres://app:secret@localhost:5432/app',
 *   customerio: { siteId: 'your-site-id', trackApiKey: 'your-track-api-key' },
 * })
 * relay.on('error', (error) => console.error(error.message))
 * await relay.start()
 * process.once('SIGTERM', () => relay.stop({ drainMs: 10_000 }))
 * ```
 */
export function createRelay(options: RelayOptions): Relay {
  return new Relay(resolveRelayOptions(options))
}

/*
 * Start and end of a relay:
 *
 *   field              set when                                       means
 *   #starting          start() is called                              a second start() returns this promise
 *   #isOriginChecked   start() has checked that the database is no    every new connection checks it again
 *                      copy
 *   #ending            stop() is called                               a second stop() returns this promise; start() takes no
 *                                                                     lane; a breaker that closes ends no backoffs
 *   #endDrain          stop() is called without drainMs               the drain ends now
 *   #stopping          the drain has ended                            turns end after the request in flight
 *   #isCopyFound       a connection led to a copy of the database     the relay has reported it, and stops
 */

/**
 * A relay of the fleet. Create it with `createRelay`.
 *
 * @example
 * ```ts
 * relay.on('settled', ({ destination, delivered }) => console.log(destination, delivered))
 * await relay.start()
 * ```
 */
export class Relay extends EventEmitter<RelayEvents> {
  /** Identifies this relay in `outbox.relay_fleet`. A new UUID for each relay object. */
  readonly relayId = randomUUID()
  readonly #options: ResolvedRelayOptions
  readonly #purpose: RelayPurpose
  readonly #stopping = new AbortController()
  readonly #endDrain = new AbortController()
  readonly #timers = new Timers((error) => this.#report(error))
  readonly #schemaVersion = supportedSchemaVersion()
  readonly #parts: RelayParts
  #workspaces: ResolvedRelayOptions['workspaces']
  /** False until `start()` has checked: before that, the schema that the check reads may be missing. */
  #isOriginChecked = false
  #isCopyFound = false
  #starting: Promise<void> | undefined
  #ending: Promise<void> | undefined

  /** @internal Use `createRelay`. */
  constructor(options: ResolvedRelayOptions, purpose: RelayPurpose = 'serve') {
    super()
    this.#options = options
    this.#purpose = purpose
    this.#workspaces = options.workspaces
    this.#parts = wireRelay(options, {
      relayId: this.relayId,
      stopping: this.#stopping.signal,
      emit: (name, ...payload) => this.emit(name, ...(payload as never)),
      emitError: (error) => this.#emitError(error),
      onBreakerChange: (destination, from, to) => this.#breakerChanged(destination, from, to),
      isOriginChecked: () => this.#isOriginChecked,
      listens: purpose === 'serve',
    })
  }

  /**
   * Joins the fleet. Never migrates the schema. A second call returns the same promise.
   *
   * @returns when the relay takes part, or when `stop()` was called meanwhile.
   * @throws SchemaVersionError if the schema is missing, too old or too new.
   * @throws CopiedDatabaseError if the database is a copy of the one that the outbox belongs to, and `acceptCopy` is not set.
   * @throws WrongRegionError if Customer.io answers that a workspace lives in another region than its settings say.
   *
   * @example
   * ```ts
   * import { createRelay, WrongRegionError } from 'customerio-outbox/relay'
   *
   * const relay = createRelay({
   *   connectionString: 'postgres://app:secret@localhost:5432/app',
   *   customerio: { siteId: 'your-site-id', trackApiKey: 'your-track-api-key', region: 'eu' },
   * })
   * try {
   *   await relay.start()
   * } catch (error) {
   *   if (error instanceof WrongRegionError) console.error(error.workspaces)
   *   await relay.stop()
   *   throw error
   * }
   * ```
   */
  start(): Promise<void> {
    this.#starting ??= this.#start()
    return this.#starting
  }

  /**
   * Finishes the requests in flight, settles them, hands the lanes back and closes every connection. May be called at any
   * time, also during `start()`. A second call without `drainMs` ends the draining of the first. A second call with `drainMs`
   * above 0 changes nothing. Both return the promise of the first.
   *
   * @param options Whether to drain the backlog first.
   * @returns when every connection is closed.
   *
   * @example
   * ```ts
   * import { createRelay } from 'customerio-outbox/relay'
   *
   * const relay = createRelay({
   *   connectionString: 'postgres://app:secret@localhost:5432/app',
   *   customerio: { siteId: 'your-site-id', trackApiKey: 'your-track-api-key' },
   * })
   * await relay.start()
   * relay.on('drained', ({ end, lanesLeft }) => console.log(`${end}: ${lanesLeft} lanes still hold intents`))
   * await relay.stop({ drainMs: 30_000 })
   * ```
   */
  stop({ drainMs = 0 }: StopOptions = {}): Promise<void> {
    if (drainMs === 0) this.#endDrain.abort()
    this.#ending ??= this.#stop(drainMs)
    return this.#ending
  }

  /** Whether the relay finds committed intents: false after two polls in a row have failed, until one succeeds. */
  get canPoll(): boolean {
    return this.#parts.polls.failure === undefined
  }

  /** The destinations that this relay has credentials for, such as `default/track`. */
  get destinations(): readonly string[] {
    return this.#parts.destinations.names
  }

  /**
   * Replaces all workspaces: every request from now on uses the new keys, regions and limits. Intents of a workspace that is
   * left out wait. A destination whose settings have changed is probed at once if its breaker is paused or open, unless an
   * operator has paused it.
   *
   * @param workspaces All workspaces, by name. The option `customerio` is the workspace `default`.
   * @throws InvalidSettingError if a setting is wrong. Then nothing changes.
   * @throws WrongRegionError if a changed workspace lives in another region. Then nothing changes.
   *
   * @example
   * ```ts
   * import { createRelay } from 'customerio-outbox/relay'
   *
   * const relay = createRelay({
   *   connectionString: 'postgres://app:secret@localhost:5432/app',
   *   customerio: { siteId: 'your-site-id', trackApiKey: 'old-track-api-key' },
   * })
   * await relay.start()
   * await relay.updateWorkspaces({
   *   default: { siteId: 'your-site-id', trackApiKey: 'new-track-api-key' },
   * })
   * ```
   */
  async updateWorkspaces(workspaces: Readonly<Record<string, WorkspaceOptions>>): Promise<void> {
    const { db, destinations, dispatcher } = this.#parts
    const resolved = resolveWorkspaces(workspaces)
    const changed = Object.entries(resolved).filter(
      ([name, settings]) => JSON.stringify(settings) !== JSON.stringify(this.#workspaces[name]),
    )
    await this.#checkRegions(Object.fromEntries(changed))
    this.#workspaces = resolved
    // If this fails, the first settlement makes the partitions.
    await ensurePartitions(db, allPayloadDays(resolved)).catch((error) => this.#report(error))
    const changedDestinations = await destinations.update(resolved)
    // If this fails, the next maintenance registers the workspaces.
    await registerWorkspaces(db, Object.keys(resolved)).catch((error) => this.#report(error))
    // If this fails, the next probes are sent when they are due.
    await probeNow(db, changedDestinations).catch((error) => this.#report(error))
    this.emit('workspacesUpdated', { destinations: changedDestinations })
    dispatcher.destinationsChanged(changedDestinations)
  }

  /**
   * Closes every connection to the database, whatever is in flight. For a caller that cannot wait for the end of `stop()`,
   * because the database does not answer. Other relays take over the lanes.
   *
   * @internal
   */
  async abandon(): Promise<void> {
    const { db, listener, longDb, queues } = this.#parts
    this.#stopping.abort()
    await Promise.all([listener.stop(), queues.close(), db.close(), longDb.close()])
  }

  async #start(): Promise<void> {
    const { db, dispatcher, queues, listener } = this.#parts
    const schema = await requireSchemaVersion(db)
    if (schema.version > schema.supported) this.emit('schemaAhead', schema)
    await this.#checkOrigin()
    await this.#checkRegions(this.#workspaces)
    if (this.#ending !== undefined) return
    await queues.start()
    await this.#reportAlive()
    await this.#maintain()
    if (this.#purpose === 'serve') await listener.start()
    if (this.#ending !== undefined) return // stopped meanwhile: the relay takes no lane
    this.#timers.every(HEARTBEAT_MS, () => this.#reportAlive())
    this.#timers.every(MAINTENANCE_MS, () => this.#maintain())
    dispatcher.start()
    this.#timers.every(this.#options.pollIntervalMs, () => this.#parts.actions.poll())
    void this.#parts.actions.poll().catch((error) => this.#report(error))
    this.emit('started', { relayId: this.relayId })
  }

  async #stop(drainMs: number): Promise<void> {
    const { db, destinations, dispatcher, listener, longDb, queues } = this.#parts
    await this.#starting?.catch(() => {}) // the caller of start() gets the error
    if (drainMs > 0 && dispatcher.isRunning) await this.#drain(drainMs)
    this.#stopping.abort()
    await listener.stop()
    await Promise.all([dispatcher.stop(), this.#actionsStopped()])
    // The timers stop after the dispatcher, because their heartbeats keep a lane with a request in flight from looking
    // abandoned. They stop before the relay's row is removed, because a later report would insert the row again.
    await this.#timers.stop()
    if (this.#starting !== undefined) {
      const recorded = queues.recordSilences().catch(() => {}) // if it fails, the next relay watches for longer
      await removeRelay(db, this.relayId).catch((error) => this.#report(error))
      await recorded
    }
    await queues.stop().catch((error) => this.#report(error))
    await destinations.close()
    await Promise.all([db.close(), longDb.close()])
    this.emit('stopped', { relayId: this.relayId })
  }

  /**
   * Waits for the chunk of a bulk action. The time of a drain is limited, so it waits no longer than for a request. Then the
   * server completes the chunk alone.
   */
  async #actionsStopped(): Promise<void> {
    const { actions, longDb } = this.#parts
    const stopped = actions.stopped().then(() => 'stopped')
    const isLate = this.#purpose === 'drain' && !(await within(this.#options.requestTimeoutMs, stopped))
    if (isLate) await longDb.close(0)
    await stopped
  }

  async #drain(withinMs: number): Promise<void> {
    const drained = await waitUntilDrained({
      read: () => this.#readQueue(),
      withinMs,
      waitsForProbes: this.#purpose === 'serve',
      abort: this.#endDrain.signal,
      onError: (error) => this.#report(error),
    })
    this.emit('drained', drained)
  }

  /** Reads what is left to do. An operator's bulk action keeps only a drain: elsewhere another relay continues it. */
  async #readQueue(): Promise<QueueReading> {
    const { db } = this.#parts
    const served = this.destinations
    const open = this.#purpose === 'drain' ? await findOpenActions(db) : []
    const found = await findReadyLanes(db, { served, except: [], breakersOf: served })
    return { ...found, openActions: open.length }
  }

  async #checkOrigin(): Promise<void> {
    const { db } = this.#parts
    const copy = await findCopy((text) => db.query(text), db.names)
    if (copy && !this.#options.acceptCopy) throw copy
    if (copy) {
      await acceptCopy(db)
      const { origin, found, queued } = copy
      this.emit('copyAccepted', { origin: origin?.databaseName, found: found.databaseName, queued })
    }
    this.#isOriginChecked = true
  }

  async #checkRegions(workspaces: ResolvedRelayOptions['workspaces']): Promise<void> {
    if (!this.#options.checkRegion) return
    await checkRegions(workspaces, this.#options.requestTimeoutMs, (unchecked) =>
      this.emit('regionUnchecked', unchecked),
    )
  }

  async #maintain(): Promise<void> {
    await maintain(this.#parts.db, {
      workspaces: Object.keys(this.#workspaces),
      payloadDays: allPayloadDays(this.#workspaces),
      deliveredRetentionDays: this.#options.deliveredRetentionDays,
      isEnding: () => this.#ending !== undefined,
    })
  }

  async #reportAlive(): Promise<void> {
    const { actions, db, dispatcher, encryptionKeys, polls, queues } = this.#parts
    // The heartbeats of jobs are written first, and on connections of their own: a lane that is worked must not look
    // abandoned.
    await queues.heartbeat([...dispatcher.active, ...actions.active])
    const identity = {
      relayId: this.relayId,
      host: hostname(),
      pid: process.pid,
      version: VERSION,
      format: ROW_FORMAT,
      encryptionKeys: encryptionKeys.ids,
      schemaVersion: this.#schemaVersion,
    }
    await reportRelay(db, identity, polls.failure)
  }

  #breakerChanged(destination: string, from: BreakerState | undefined, to: BreakerState): void {
    this.emit('breaker', { destination, from, to })
    if (to !== 'closed' || this.#ending !== undefined) return
    const { dispatcher, jobs } = this.#parts
    jobs
      .endBackoffs(destination)
      // While the relay stops, the error is not reported: another relay ends the backoffs, or they run out.
      .catch((error) => this.#ending === undefined && this.#report(error))
      .finally(() => dispatcher.wake('work'))
  }

  /** Reports an error to `OutageReporter`. Unless it belongs to an outage of the database, it then goes to `#emitError`. */
  #report(error: Error): void {
    this.#parts.outages.report(error)
  }

  #emitError(error: Error): void {
    if (error instanceof CopiedDatabaseError) this.#stopAtCopy(error)
    // An `error` event without a listener would end the process: Node.js throws it.
    else if (this.listenerCount('error') > 0) this.emit('error', error)
    else process.emitWarning(error.message, 'CustomerioOutboxWarning')
  }

  /** Stops the relay: the intents of a copy must not be sent. */
  #stopAtCopy(copy: CopiedDatabaseError): void {
    if (this.#isCopyFound) return
    this.#isCopyFound = true
    if (this.listenerCount('copyFound') > 0) this.emit('copyFound', copy)
    else process.emitWarning(copy.message, 'CustomerioOutboxWarning')
    void this.stop()
  }
}
