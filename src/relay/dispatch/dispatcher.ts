import type { Database } from '../../store/connection/database.ts'
import { type Lane, isBulk } from '../../store/lanes/lane.ts'
import type { Breakers } from '../breaker/breakers.ts'
import type { Destinations } from '../destination/destinations.ts'
import { backoffMs } from '../timing/backoff.ts'
import { Signal } from '../timing/signal.ts'
import { IdleWait } from '../turn/idle-wait.ts'
import type { WriteHorizon } from '../turn/write-horizon.ts'
import type { Notification } from '../wake-up/listener.ts'
import { NotifyMode } from '../wake-up/notify-mode.ts'
import { ActiveLanes } from './active-lanes.ts'
import { LaneCooldowns } from './lane-cooldowns.ts'
import { LaneFinder } from './lane-finder.ts'
import { LaneHandOut } from './lane-hand-out.ts'
import type { LaneJob, LaneJobs } from './lane-jobs.ts'
import { UnservedCheck } from './unserved-check.ts'
import { WatermarkAudit } from './watermark-audit.ts'

/** Milliseconds between polls that fail, doubled with each failure in a row. */
const FAILED_POLL_MS = { first: 100, max: 10_000 }
/**
 * The pause after a poll, in multiples of its duration: polls take at most a sixth of the time, even if each takes long, for
 * example because an old snapshot keeps dead rows.
 */
const PAUSE_PER_POLL = 5

/** What the dispatcher finds lanes with. */
export interface LaneSource {
  readonly db: Database
  readonly horizon: WriteHorizon
  readonly breakers: Breakers
  /** The destinations that the relay has credentials for. */
  readonly destinations: Destinations
}

/** What the dispatcher starts lanes with. */
export interface LaneWorkers {
  readonly jobs: LaneJobs
  /** Workers for the lanes of one destination, not counting those for its bulk lanes. */
  readonly capacity: number
  /** How many intents this relay has settled since it started. */
  readonly settled: () => number
  /**
   * Runs one turn of a lane. Never rejects.
   *
   * @returns the milliseconds for which the lane must not start again in this relay.
   */
  run(job: LaneJob, idleWait: IdleWait): Promise<number>
}

/** What the dispatcher reports to. */
export interface DispatchObserver {
  pollSucceeded(): void
  pollFailed(error: Error): void
  /** Reports that intents wait for a destination without credentials. Called once per destination. */
  unserved(destination: string): void
  /** Reports an error that is not the failure of a poll. */
  failed(error: Error): void
}

export interface DispatcherOptions {
  readonly source: LaneSource
  readonly workers: LaneWorkers
  readonly observer: DispatchObserver
  /** Whether this relay receives notifications. */
  readonly isListening: () => boolean
  /** Writes the flag that enqueue reads: whether commits notify. */
  readonly writeNotifyFlag: (isOn: boolean) => Promise<void>
  readonly pollIntervalMs: number
}

/**
 * Decides which lanes this relay works. A poll finds the lanes with work, offers them to the fleet as pg-boss jobs, takes as
 * many as there are workers for, and runs their turns.
 *
 * Reasons to poll at once. Otherwise the next poll comes after `#delayMs`:
 *
 *   wake()                  the database is back, a breaker has changed or its lanes' backoffs have ended, or destinations
 *                           were added, removed or changed
 *   notify()                a commit has brought work to a lane that this relay does not work
 *   NotifyMode              notifications were turned off: commits are found by polls alone
 *   WatermarkAudit          it has found intents below a lane's watermark
 *   the end of a turn       pg-boss refused other jobs for the lane while its job was active
 *   a lane becomes idle     its worker is free, or a commit may have been missed (see `#pollForIdleLane`)
 *   stop()                  the loop must end
 */
export class Dispatcher {
  readonly #options: DispatcherOptions
  /** Raised: poll now. */
  readonly #pollNow = new Signal()
  readonly #notifyMode: NotifyMode
  readonly #finder: LaneFinder
  readonly #active = new ActiveLanes()
  readonly #handOut: LaneHandOut
  readonly #cooldowns = new LaneCooldowns()
  readonly #watermarkAudit: WatermarkAudit
  readonly #unservedCheck: UnservedCheck
  #isStopped = false
  #loop: Promise<void> | undefined

  constructor(options: DispatcherOptions) {
    this.#options = options
    const { source, workers, observer, isListening, writeNotifyFlag, pollIntervalMs } = options
    const onError = (error: Error) => observer.failed(error)
    const pollNow = () => this.#pollNow.raise()
    this.#notifyMode = new NotifyMode({
      writeFlag: writeNotifyFlag,
      isListening,
      onSuspended: pollNow,
      onError,
    })
    this.#finder = new LaneFinder({ ...source, pollIntervalMs, onError })
    this.#handOut = new LaneHandOut(workers.jobs, this.#active, workers.capacity)
    this.#watermarkAudit = new WatermarkAudit({ ...source, onFound: pollNow, onError })
    this.#unservedCheck = new UnservedCheck({
      ...source,
      onUnserved: (destination) => observer.unserved(destination),
      onError,
    })
  }

  /** The jobs of the lanes that this relay works. */
  get active(): LaneJob[] {
    return this.#active.jobs
  }

  get isRunning(): boolean {
    return this.#loop !== undefined
  }

  start(): void {
    this.#loop ??= this.#run()
  }

  /** Polls now. After a change of a breaker, the poll reads the breakers' rows too. */
  wake(reason: 'work' | 'breaker'): void {
    if (reason === 'breaker') this.#finder.readBreakersNext()
    this.#handOut.retry()
    this.#pollNow.raise()
  }

  /** Handles a notification. There may be very many, so one for a lane that this relay works causes no poll. */
  notify(notification: Exclude<Notification, 'action'>): void {
    if (notification === 'breaker') {
      this.wake('breaker')
      return
    }
    const { lane, session } = notification
    this.#notifyMode.record(session)
    if (lane !== undefined && this.#active.notify(lane)) return
    this.#unservedCheck.checkSoon()
    this.#pollNow.raise()
  }

  /** Polls now: these destinations were added or removed, or their settings changed. */
  destinationsChanged(destinations: readonly string[]): void {
    this.#unservedCheck.changed(destinations)
    this.wake('breaker')
  }

  /** Takes no more lanes. Resolves when every turn has ended. */
  async stop(): Promise<void> {
    this.#isStopped = true
    this.#active.endAll()
    this.#pollNow.raise()
    await this.#loop
    this.#active.endAll() // also the lanes that the last poll started
    await Promise.all([this.#watermarkAudit.ended(), this.#unservedCheck.ended()])
    await this.#active.allDone()
  }

  async #run(): Promise<void> {
    const { observer } = this.#options
    for (let failures = 0; !this.#isStopped; ) {
      let delayMs: number
      try {
        delayMs = await this.#poll()
        failures = 0
        observer.pollSucceeded()
      } catch (error) {
        failures++
        this.#finder.readBreakersNext()
        delayMs = backoffMs(failures, FAILED_POLL_MS)
        observer.pollFailed(error as Error)
      }
      await this.#pollNow.wait(delayMs)
    }
  }

  /** @returns the milliseconds until the next poll. */
  async #poll(): Promise<number> {
    const startedAt = performance.now()
    this.#watermarkAudit.start()
    this.#unservedCheck.start()

    const found = await this.#finder.find(this.#active.atWork)
    this.#active.endIdleUnless((destination) => this.#acceptsRequests(destination))
    this.#active.wake(found)
    const lanes = found.filter((lane) => this.#mayStart(lane))
    this.#handOut.keepOnly(lanes)
    const isPromoted = await this.#finder.promoteScheduled()
    await this.#handOut.handOut(lanes, (job) => this.#start(job))

    const isAnyWaiting = lanes.some((lane) => !this.#active.has(lane))
    this.#options.workers.jobs.releaseDeadWorkers(isAnyWaiting)
    // Promoted intents are in their lanes now, and more may be due.
    if (isPromoted) return 0
    // Commits between this poll and the change of the flag did not notify.
    if (await this.#notifyMode.afterPoll(found.length > 0, this.#options.workers.settled())) return 0
    return this.#delayMs(performance.now() - startedAt)
  }

  /** Milliseconds until the next poll. */
  #delayMs(pollMs: number): number {
    const { source, pollIntervalMs } = this.#options
    const nextEventMs = Math.min(
      source.breakers.waitMs ?? pollIntervalMs,
      this.#cooldowns.nextEndInMs,
      this.#finder.dueInMs,
      pollIntervalMs,
    )
    const paceMs = this.#notifyMode.pollDelayMs(this.#active.atWork)
    const delayMs = Math.max(1, nextEventMs)
    return paceMs === undefined ? delayMs : Math.min(delayMs, Math.max(paceMs, PAUSE_PER_POLL * pollMs))
  }

  /** Whether a lane may start in this relay. The credentials of its destination may have gone since the poll began. */
  #mayStart(lane: Lane): boolean {
    const { breakers, destinations } = this.#options.source
    if (destinations.get(lane.destination) === undefined) return false
    if (this.#active.has(lane) || this.#cooldowns.has(lane)) return false
    // If a probe is due, every lane may start, because a dead relay may still hold the job of any lane. The breaker admits
    // one request.
    return breakers.get(lane.destination).eligibility() !== 'none'
  }

  /** Whether ordinary requests may be sent to a destination. If not, none of its lanes stays idle. */
  #acceptsRequests(destination: string): boolean {
    const { breakers, destinations } = this.#options.source
    return destinations.get(destination) !== undefined && breakers.get(destination).eligibility() === 'all'
  }

  #start(job: LaneJob): void {
    const idleWait = new IdleWait((readAt) => {
      if (this.#isStopped || isBulk(job.lane)) return false
      this.#pollForIdleLane(readAt)
      return !this.#handOut.hasWaitingBeside(job.lane)
    })
    const turn = this.#options.workers
      .run(job, idleWait)
      .then((cooldownMs) => this.#cooldowns.start(job.lane, cooldownMs))
    this.#active.add(job, idleWait, turn, () => {
      this.#notifyMode.turnEnded()
      this.#pollNow.raise() // pg-boss refused other jobs for the lane while this one was active: poll again
    })
  }

  /**
   * Polls if an idle lane frees a worker that another lane needs, or if an intent may have been committed between this lane's
   * last read and the last poll.
   *
   * @param readAt When the lane was read last, by `performance.now()`.
   */
  #pollForIdleLane(readAt: number): void {
    // The last poll skipped the lane because it was at work, and began after the lane was read. So neither the read nor the
    // poll saw commits between them. If commits do not notify, the next poll comes soon.
    const mayHaveMissed = this.#notifyMode.isNotifying && this.#finder.lastPollAt >= readAt
    // The last poll had no worker left. This lane's worker is free now.
    const mayTakeLane = this.#handOut.isFull
    if (mayHaveMissed || mayTakeLane) this.#pollNow.raise()
  }
}
