import { openDatabase, type Database } from '../store/connection/database.ts'
import { ensurePartitions } from '../store/fleet/ensure-partitions.ts'
import { clearNotifyFlagIfAlone, setNotifyFlag } from '../store/fleet/set-notify-flag.ts'
import { notify } from '../store/fleet/notify.ts'
import { readHorizon } from '../store/lanes/read-horizon.ts'
import { resetLanes } from '../store/lanes/reset-lanes.ts'
import { findCopy } from '../store/origin/find-copy.ts'
import type { BreakerState } from '../store/breakers/read-breakers.ts'
import { ActionRunner } from './actions/action-runner.ts'
import { Breakers } from './breaker/breakers.ts'
import { Destinations } from './destination/destinations.ts'
import { Dispatcher } from './dispatch/dispatcher.ts'
import { LaneJobRunner } from './dispatch/lane-job-runner.ts'
import { LaneJobs } from './dispatch/lane-jobs.ts'
import { JobQueues } from './jobs/job-queues.ts'
import { KeyFinder } from './payloads/key-finder.ts'
import { PollRecord } from './wake-up/poll-record.ts'
import type { RelayEvents } from './events.ts'
import type { ResolvedRelayOptions } from './options-schema.ts'
import { Partitions } from './turn/partitions.ts'
import { WriteHorizon } from './turn/write-horizon.ts'
import { Listener } from './wake-up/listener.ts'
import { OutageReporter } from './wake-up/outage-reporter.ts'

/** What the parts of a relay need from the relay. */
export interface RelayHost {
  readonly relayId: string
  /** Aborted when the relay stops: turns end after the request in flight. */
  readonly stopping: AbortSignal
  readonly emit: <Name extends keyof RelayEvents>(name: Name, ...payload: RelayEvents[Name]) => void
  /** Emits an error. The parts report errors to `OutageReporter`, which passes on those that belong to no outage. */
  readonly emitError: (error: Error) => void
  readonly onBreakerChange: (destination: string, from: BreakerState | undefined, to: BreakerState) => void
  /** Whether new connections must check that the database is no copy. False until `start()` has checked the first time. */
  readonly isOriginChecked: () => boolean
  /** Whether the relay listens for wake-ups. If not, it does not turn them off while other relays run. */
  readonly listens: boolean
}

/** The parts of a relay. They know the relay only through `RelayHost`. */
export interface RelayParts {
  readonly db: Database
  readonly queues: JobQueues
  readonly jobs: LaneJobs
  readonly actions: ActionRunner
  /** For the chunks of actions. Opens no connection before the first action. */
  readonly longDb: Database
  readonly destinations: Destinations
  readonly breakers: Breakers
  readonly encryptionKeys: KeyFinder
  readonly dispatcher: Dispatcher
  readonly listener: Listener
  readonly outages: OutageReporter
  readonly polls: PollRecord
}

/** Milliseconds for a chunk of an action. To erase a person from a queue of millions of intents may take a minute. */
const ACTION_ANSWER_MS = 600_000

/** Makes the parts of a relay and connects them. Starts no part, and opens no connection. */
export function wireRelay(options: ResolvedRelayOptions, host: RelayHost): RelayParts {
  const { connectionString, schema, pollIntervalMs } = options
  const outages = wireOutages(options, host, () => dispatcher.wake('work'))
  const onError = (error: Error) => outages.report(error)
  const db = wireDatabase(options, host, onError)
  const queues = new JobQueues({ db, connectionString, schema, onError })
  const jobs = new LaneJobs(queues)
  const destinations = new Destinations(db, options.requestTimeoutMs, options.workspaces)
  const breakers = new Breakers({
    db,
    relayId: host.relayId,
    destinations: () => destinations.names,
    settings: options,
    onChange: host.onBreakerChange,
    onError,
  })
  const encryptionKeys = new KeyFinder({
    source: options.encryption,
    timeoutMs: options.requestTimeoutMs,
    onError,
  })
  const horizon = new WriteHorizon(
    () => readHorizon(db),
    async (from, to) => {
      await resetLanes(db)
      host.emit('sequenceRewound', { from: from.lastSeq, to: to.lastSeq })
    },
  )
  const runner = new LaneJobRunner({
    db,
    relayId: host.relayId,
    batchSize: options.batchSize,
    intentRetry: options.intentRetry,
    pollIntervalMs,
    horizon,
    partitions: new Partitions({
      make: (payloadDays) => ensurePartitions(db, payloadDays === undefined ? [] : [payloadDays]),
      stopping: host.stopping,
      onError,
    }),
    encryptionKeys,
    stopping: host.stopping,
    jobs,
    destinations,
    breakers,
    emit: host.emit,
    onError,
  })
  const longDb = wireDatabase(options, host, onError, { max: 1, answerMs: ACTION_ANSWER_MS, name: 'actions' })
  const actions = new ActionRunner({
    db,
    longDb,
    queues,
    stopping: host.stopping,
    onProgress: (actionId, { kind, state, processed, total }) =>
      host.emit('action', { actionId, kind, state, processed, total }),
    onError,
  })
  const polls = new PollRecord()
  const dispatcher = new Dispatcher({
    source: { db, horizon, breakers, destinations },
    workers: {
      jobs,
      capacity: options.workers,
      run: (job, idleWait) => runner.run(job, idleWait),
      settled: () => runner.settled,
    },
    observer: {
      pollSucceeded() {
        polls.succeeded()
        outages.pollSucceeded()
      },
      pollFailed(error) {
        polls.failed(error)
        outages.pollFailed(error)
      },
      unserved: (destination) => host.emit('unserved', { destination }),
      failed: onError,
    },
    isListening: () => listener.isListening,
    writeNotifyFlag: (isOn) =>
      host.listens ? setNotifyFlag(db, isOn) : clearNotifyFlagIfAlone(db, host.relayId),
    pollIntervalMs,
  })
  const listener = new Listener({
    connectionString: options.listenConnectionString ?? connectionString,
    names: db.names,
    notify: (channel, payload) => notify(db, channel, payload),
    onNotification: (notification) => {
      if (notification === 'action') void actions.poll().catch(onError)
      else dispatcher.notify(notification)
    },
    onListening: () => outages.listening(),
    onBroken: onError,
    onNotListening: (reason, error) => outages.notListening(reason, error),
  })
  return {
    db,
    longDb,
    queues,
    jobs,
    actions,
    destinations,
    breakers,
    encryptionKeys,
    dispatcher,
    listener,
    outages,
    polls,
  }
}

function wireOutages(
  { listenConnectionString, pollIntervalMs }: ResolvedRelayOptions,
  { relayId, emit, emitError }: RelayHost,
  pollNow: () => void,
): OutageReporter {
  const through = listenConnectionString ? 'listenConnectionString' : 'connectionString'
  return new OutageReporter({
    onLost: ({ message }) => emit('databaseLost', { message }),
    onBack: (afterMs) => emit('databaseBack', { afterMs }),
    onListening: () => emit('listening', { relayId }),
    onNotListening: (reason, { message }) =>
      emit('notListening', { reason, message, through, pollIntervalMs }),
    onError: emitError,
    pollNow,
  })
}

/** A database whose every new connection checks that it leads to the outbox's own database, not to a copy. */
function wireDatabase(
  { connectionString, schema, connections }: ResolvedRelayOptions,
  { isOriginChecked }: RelayHost,
  onError: (error: Error) => void,
  { max = connections, answerMs, name }: { max?: number; answerMs?: number; name?: string } = {},
): Database {
  const db: Database = openDatabase({
    connectionString,
    schema,
    max,
    answerMs,
    applicationName: ['customerio-outbox relay', name].filter(Boolean).join(' '),
    onConnect: async (query) => {
      const copy = isOriginChecked() ? await findCopy(query, db.names) : undefined
      if (copy) throw copy
    },
    onError,
  })
  return db
}
