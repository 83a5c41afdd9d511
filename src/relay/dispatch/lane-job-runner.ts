import type { Lane } from '../../store/lanes/lane.ts'
import { ROW_FORMAT } from '../../store/lanes/row-format.ts'
import type { Settlement } from '../../store/lanes/settle.ts'
import type { Breakers } from '../breaker/breakers.ts'
import { Coalescer } from '../destination/coalescer.ts'
import type { Destination, Destinations } from '../destination/destinations.ts'
import type { RelayEvents } from '../events.ts'
import type { LaneJob, LaneJobs } from './lane-jobs.ts'
import type { LaneOutcome } from '../lane-outcome.ts'
import type { IdleWait } from '../turn/idle-wait.ts'
import { InFlightLanes } from '../turn/in-flight-lanes.ts'
import { workLane } from '../lane/work-lane.ts'
import type { LaneContext } from '../turn/lane-context.ts'

/**
 * The most pairs of destination and row format, or of destination and key, that are reported: a row that was written by hand may
 * have any.
 */
const MAX_REPORTED = 100

export interface LaneJobRunnerOptions
  extends Pick<
    LaneContext,
    'db' | 'relayId' | 'batchSize' | 'intentRetry' | 'horizon' | 'partitions' | 'encryptionKeys' | 'stopping'
  > {
  readonly jobs: Pick<LaneJobs, 'finish' | 'fail'>
  readonly destinations: Destinations
  readonly breakers: Breakers
  readonly pollIntervalMs: number
  readonly emit: <Name extends keyof RelayEvents>(name: Name, ...payload: RelayEvents[Name]) => void
  readonly onError: (error: Error) => void
}

/** Runs the turns of lanes that were handed out, records their ends in pg-boss, and emits what they settled. */
export class LaneJobRunner {
  readonly #options: LaneJobRunnerOptions
  readonly #inFlight = new InFlightLanes()
  /** By destination. After a change of its settings, a destination is a new object. */
  readonly #coalescers = new WeakMap<Destination, Coalescer>()
  readonly #reported = new Set<string>()
  #settled = 0

  constructor(options: LaneJobRunnerOptions) {
    this.#options = options
  }

  /** How many intents were delivered or became dead letters since the start. */
  get settled(): number {
    return this.#settled
  }

  /**
   * Runs one turn of a lane. Never rejects: if its end cannot be recorded now, it is recorded later, or the job's heartbeat
   * is missed.
   *
   * @returns the milliseconds for which the lane must not start again in this relay.
   */
  async run(job: LaneJob, idleWait: IdleWait): Promise<number> {
    const { jobs, breakers, emit, onError } = this.#options
    const { lane } = job
    try {
      const outcome = await this.#work(lane, idleWait)
      if (outcome.kind === 'failed') {
        emit('laneFailed', { ...lane, message: outcome.message })
        await jobs.fail(job, outcome.message)
      } else {
        await jobs.finish(job)
      }
      return outcome.kind === 'handed_back' ? (outcome.waitMs ?? 0) : 0
    } catch (error) {
      onError(error as Error)
      await jobs.fail(job, (error as Error).message).catch((failure) => onError(failure))
      return 0
    } finally {
      breakers.report()
    }
  }

  async #work(lane: Lane, idleWait: IdleWait): Promise<LaneOutcome> {
    const { destinations, breakers, pollIntervalMs, ...context } = this.#options
    const destination = destinations.get(lane.destination)
    // A relay with other credentials has offered the lane.
    if (!destination) return { kind: 'handed_back', waitMs: pollIntervalMs }
    return workLane(
      {
        ...context,
        inFlight: this.#inFlight,
        destination,
        idleWait,
        settingsAreCurrent: () => destinations.get(lane.destination) === destination,
        breaker: breakers.get(lane.destination),
        coalescer: this.#coalescerOf(destination),
        onUnknownFormat: (name, format) => this.#reportFormat(name, format),
        onUnknownKey: (name, key) => this.#reportKey(name, key),
        onSettled: (settlement, late) => this.#emitSettled(lane, settlement, late),
      },
      lane,
    )
  }

  #coalescerOf(destination: Destination): Coalescer {
    const { batchSize, breakers, stopping } = this.#options
    const known = this.#coalescers.get(destination)
    const coalescer = known ?? new Coalescer(destination, breakers.get(destination.name), batchSize, stopping)
    if (!known) this.#coalescers.set(destination, coalescer)
    return coalescer
  }

  #emitSettled(lane: Lane, { delivered, dead, suppressed = [] }: Settlement, late: number): void {
    const { emit } = this.#options
    this.#settled += delivered.length + dead.length
    emit('settled', {
      ...lane,
      delivered: delivered.length,
      late,
      dead: dead.length,
      suppressed: suppressed.length,
    })
    for (const { id, seq, reason, status, field } of dead) {
      emit('deadLetter', { destination: lane.destination, id, seq, reason, status, field })
    }
  }

  #reportFormat(destination: string, format: number): void {
    if (!this.#isFirst(`${destination} format ${format}`)) return
    this.#options.emit('unknownFormat', { destination, format, known: ROW_FORMAT })
  }

  #reportKey(destination: string, key: string): void {
    if (this.#isFirst(`${destination} key ${key}`)) this.#options.emit('unknownKey', { destination, key })
  }

  #isFirst(report: string): boolean {
    if (this.#reported.has(report) || this.#reported.size >= MAX_REPORTED) return false
    this.#reported.add(report)
    return true
  }
}
