import type { Lane } from '../../store/lanes/lane.ts'
import { ROW_FORMAT } from '../../store/lanes/read-lane.ts'
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

/** Pairs of destination and row format that are reported at most: a row written by hand may have any format. */
const FORMATS_REPORTED_AT_MOST = 100

export interface LaneJobRunnerOptions
  extends Pick<
    LaneContext,
    'db' | 'relayId' | 'batchSize' | 'intentRetry' | 'horizon' | 'partitions' | 'stopping'
  > {
  readonly jobs: LaneJobs
  readonly destinations: Destinations
  readonly breakers: Breakers
  readonly pollIntervalMs: number
  /** Not to be started again here before. */
  readonly holdBack: (lane: Lane, ms: number) => void
  readonly emit: <Name extends keyof RelayEvents>(name: Name, ...payload: RelayEvents[Name]) => void
  readonly onError: (error: Error) => void
}

/** Runs the turns of lanes that were handed out, settles their jobs, and tells what came of it. */
export class LaneJobRunner {
  readonly #options: LaneJobRunnerOptions
  readonly #sending = new InFlightLanes()
  /** By destination: its settings, once changed, make it another one. */
  readonly #coalescers = new WeakMap<Destination, Coalescer>()
  readonly #toldOfFormats = new Set<string>()

  constructor(options: LaneJobRunnerOptions) {
    this.#options = options
  }

  /** One turn of a lane. Whatever happens, the lane's job is settled or left to its heartbeat; never rejects. */
  async run(job: LaneJob, idleWait: IdleWait): Promise<void> {
    const { jobs, breakers, emit, holdBack, onError } = this.#options
    const { lane } = job
    try {
      const outcome = await this.#work(lane, idleWait)
      if (outcome.kind === 'failed') {
        emit('laneFailed', { ...lane, message: outcome.message })
        await jobs.fail(job, outcome.message)
      } else {
        await jobs.finish(job)
      }
      if (outcome.kind === 'handed_back') holdBack(lane, outcome.waitMs ?? 0)
    } catch (error) {
      onError(error as Error)
      await jobs.fail(job, (error as Error).message).catch((failure) => onError(failure))
    } finally {
      breakers.report()
    }
  }

  async #work(lane: Lane, idleWait: IdleWait): Promise<LaneOutcome> {
    const { destinations, breakers, pollIntervalMs, ...context } = this.#options
    const destination = destinations.get(lane.destination)
    // Another relay, with other credentials, has offered it.
    if (!destination) return { kind: 'handed_back', waitMs: pollIntervalMs }
    return workLane(
      {
        ...context,
        inFlight: this.#sending,
        destination,
        idleWait,
        settingsAreCurrent: () => destinations.get(lane.destination) === destination,
        breaker: breakers.get(lane.destination),
        coalescer: this.#coalescerOf(destination),
        onUnknownFormat: (name, format) => this.#tellUnknownFormat(name, format),
        onSettled: (settlement, late) => {
          idleWait.settled(settlement.delivered.length + settlement.dead.length)
          this.#tellSettled(lane, settlement, late)
        },
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

  #tellSettled(lane: Lane, { delivered, dead, suppressed = [] }: Settlement, late: number): void {
    const { emit } = this.#options
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

  #tellUnknownFormat(destination: string, format: number): void {
    const what = `${destination} ${format}`
    if (this.#toldOfFormats.has(what) || this.#toldOfFormats.size >= FORMATS_REPORTED_AT_MOST) return
    this.#toldOfFormats.add(what)
    this.#options.emit('unknownFormat', { destination, format, known: ROW_FORMAT })
  }
}
