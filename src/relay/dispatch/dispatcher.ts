import type { Database } from '../../store/connection/database.ts'
import { isBulk, type Lane, laneKey } from '../../store/lanes/lane.ts'
import { setNotifyFlag } from '../../store/fleet/set-notify-flag.ts'
import { backoffMs } from '../timing/backoff.ts'
import { WatermarkAudit } from './watermark-audit.ts'
import type { Breakers } from '../breaker/breakers.ts'
import { LaneCooldowns } from './lane-cooldowns.ts'
import type { WriteHorizon } from '../turn/write-horizon.ts'
import { IdleFlag } from '../wake-up/idle-flag.ts'
import { type LaneJob, type LaneJobs, queueOf } from './lane-jobs.ts'
import { LaneFinder } from './lane-finder.ts'
import { IdleWait } from '../turn/idle-wait.ts'
import { LookPace } from '../wake-up/look-pace.ts'
import { OfferedLanes } from './offered-lanes.ts'
import { Signal } from '../timing/signal.ts'
import { UnservedCheck } from './unserved-check.ts'
import type { Notification } from '../wake-up/listener.ts'

/** Workers of bulk lanes, as a share of those of live ones: on top of them, so that a backfill takes none away. */
const BULK_SHARE = 1 / 4
/** Between looks that fail, doubled with each. */
const FAILED_LOOK_MS = { first: 100, max: 10_000 }

export interface DispatcherOptions {
  readonly db: Database
  readonly jobs: LaneJobs
  readonly breakers: Breakers
  readonly horizon: WriteHorizon
  /** Lanes of one destination worked at a time, bulk lanes not counted. */
  readonly capacity: number
  readonly pollIntervalMs: number
  readonly served: () => readonly string[]
  readonly serves: (destination: string) => boolean
  /** Works one lane to the end of its turn; never rejects. */
  readonly work: (job: LaneJob, linger: IdleWait) => Promise<void>
  /** Intents wait for a destination that this relay does not serve. Once per destination. */
  readonly onUnserved: (destination: string) => void
  /** Whether a notification would be heard: only then are the apps asked for one. */
  readonly hears: () => boolean
  readonly onLooked: () => void
  readonly onLookFailed: (error: Error) => void
  /** Something beside the looks went wrong. */
  readonly onError: (error: Error) => void
}

interface ActiveLane {
  readonly job: LaneJob
  readonly linger: IdleWait
  readonly done: Promise<void>
}

/**
 * Decides which lanes are worked: those with intents whose destination is not held back. It offers them to the
 * fleet as pg-boss jobs and takes as many as it has room for; those that linger here it wakes.
 */
export class Dispatcher {
  readonly #options: DispatcherOptions
  readonly #signal = new Signal()
  readonly #flag: IdleFlag
  readonly #pace: LookPace
  readonly #offers = new OfferedLanes()
  readonly #active = new Map<string, ActiveLane>()
  readonly #heldBack = new LaneCooldowns()
  readonly #boundCheck: WatermarkAudit
  readonly #search: LaneFinder
  readonly #unserved: UnservedCheck
  /** The last look may have had no room for all that it found: lanes may wait for a worker, whoever has offered them. */
  #isFull = false
  #stopped = false
  #loop: Promise<void> | undefined

  constructor(options: DispatcherOptions) {
    this.#options = options
    const { db, served, hears, onUnserved, onError } = options
    this.#flag = new IdleFlag({
      set: (idle) => setNotifyFlag(db, idle),
      hears,
      onLowered: () => this.#signal.raise(),
      onError,
    })
    this.#pace = new LookPace(this.#flag)
    this.#search = new LaneFinder(options)
    this.#unserved = new UnservedCheck({ db, served, onUnserved, onError })
    this.#boundCheck = new WatermarkAudit({ db, served, onFound: () => this.#signal.raise(), onError })
  }

  get active(): LaneJob[] {
    return [...this.#active.values()].map(({ job }) => job)
  }

  /** Those of which something is under way, or may be. */
  get #atWork(): Lane[] {
    return [...this.#active.values()].filter(({ linger }) => !linger.isWaiting).map(({ job }) => job.lane)
  }

  get isRunning(): boolean {
    return this.#loop !== undefined
  }

  start(): void {
    this.#loop ??= this.#run()
  }

  /** Something has changed: look now. */
  wake(kind: 'work' | 'breaker'): void {
    if (kind === 'breaker') this.#search.readBreakersNext()
    this.#offers.retry()
    this.#signal.raise()
  }

  /** The same, as a notification has told; commits may be very many. A lane that is worked here needs no look. */
  notified(news: Notification): void {
    if (news === 'breaker') {
      this.wake(news)
      return
    }
    this.#flag.heard(news.from)
    const here = news.lane === undefined ? undefined : this.#active.get(news.lane)
    if (here) {
      here.linger.notified()
      return
    }
    this.#unserved.checkSoon()
    this.#signal.raise()
  }

  /** The relay serves other destinations than before, or these with other settings. */
  destinationsChanged(destinations: readonly string[]): void {
    this.#unserved.changed(destinations)
    this.wake('breaker')
  }

  /** Not to be started again here before: a rate limit, or what else its last turn has found, said so. */
  coolDown(lane: Lane, ms: number): void {
    this.#heldBack.start(lane, ms)
  }

  /** Takes no more lanes, and waits for those that are worked to end their turn. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#endAll()
    this.#signal.raise()
    await this.#loop
    this.#endAll() // also what the last look has begun
    await Promise.all([this.#boundCheck.ended(), this.#unserved.ended()])
    await Promise.all([...this.#active.values()].map(({ done }) => done))
  }

  #endAll(): void {
    for (const { linger } of this.#active.values()) linger.end()
  }

  async #run(): Promise<void> {
    for (let failures = 0; !this.#stopped; ) {
      let waitMs: number
      try {
        waitMs = await this.#look()
        failures = 0
        this.#options.onLooked()
      } catch (error) {
        failures++
        this.#search.readBreakersNext()
        waitMs = backoffMs(failures, FAILED_LOOK_MS.first, FAILED_LOOK_MS.max)
        this.#options.onLookFailed(error as Error)
      }
      await this.#signal.wait(waitMs)
    }
  }

  /** One look: find, offer, take. Returns how long to wait for the next one, in ms. */
  async #look(): Promise<number> {
    const { breakers, pollIntervalMs } = this.#options
    const began = performance.now()
    this.#boundCheck.start()
    this.#unserved.start()
    const found = await this.#search.find(this.#atWork)
    this.#endHeld()
    for (const lane of found) this.#active.get(laneKey(lane))?.linger.wake()
    const lanes = this.#startable(found)
    this.#offers.keepOnly(lanes)
    const promoted = await this.#search.promote()
    this.#isFull = false
    if (lanes.length > 0) {
      const queues = Map.groupBy(lanes, queueOf)
      await Promise.all([...queues].map((entry) => this.#take(...entry)))
    }
    this.#options.jobs.releaseDeadWorkers(lanes.some((lane) => !this.#active.has(laneKey(lane))))
    const wait = Math.max(
      1,
      Math.min(
        breakers.waitMs ?? pollIntervalMs,
        this.#heldBack.nextEndInMs,
        this.#search.dueInMs,
        pollIntervalMs,
      ),
    )
    if (promoted) return 0 // they are in their lanes now, and there may be more
    // What committed between the look and the flag was told nobody: look once more before sleeping.
    if (await this.#flag.update(found.length > 0)) return 0
    const lookMs = this.#pace.betweenLooks(this.#atWork)
    // A look that is slow, through dead rows under an old snapshot, is had less often.
    return lookMs === undefined ? wait : Math.min(wait, Math.max(lookMs, 5 * (performance.now() - began)))
  }

  /**
   * Every destination has workers of its own, and its bulk lanes have others: a slow API, a long backlog or a
   * backfill keeps nobody else waiting.
   */
  async #take(queue: string, lanes: readonly Lane[]): Promise<void> {
    const { jobs, capacity } = this.#options
    const due = this.#offers.due(lanes)
    if (due.length > 0) this.#offers.offered(due, await jobs.offer(queue, due))
    const workers = lanes.some(isBulk) ? Math.max(1, Math.floor(capacity * BULK_SHARE)) : capacity
    const room = workers - this.#activeOf(queue).filter(({ linger }) => !linger.isWaiting).length
    this.#isFull ||= room <= 0
    if (room <= 0 || (due.length === 0 && !lanes.some((lane) => this.#offers.isWaiting(lane)))) return
    const taken = await jobs.take(queue, room)
    this.#isFull ||= taken.length === room
    for (const job of taken) this.#begin(job)
    // Those that linger make room, also for lanes that another relay has offered and nobody works.
    const active = this.#activeOf(queue)
    const tooMany = Math.max(0, active.length - workers)
    for (const { linger } of active.filter(({ linger }) => linger.isWaiting).slice(0, tooMany)) linger.end()
  }

  #activeOf(queue: string): ActiveLane[] {
    return [...this.#active.values()].filter(({ job }) => queueOf(job.lane) === queue)
  }

  /** Where nothing may be sent no lane is kept. */
  #endHeld(): void {
    for (const { job, linger } of this.#active.values()) {
      const { destination } = job.lane
      const open = this.#options.breakers.get(destination).eligibility() === 'all'
      if (linger.isWaiting && !(open && this.#options.serves(destination))) linger.end()
    }
  }

  /** A lane is drained and would wait for more. */
  #mayLinger(lane: Lane, readAt: number): boolean {
    if (this.#stopped || isBulk(lane)) return false
    // The last look may have left it out, and begun after the lane was read: what came between, nobody has seen. Where
    // commits do not notify, the next look is not far.
    if (this.#flag.isUp && this.#search.beganAt >= readAt) this.#signal.raise()
    if (this.#isFull) this.#signal.raise() // there is room now
    return ![...this.#offers.waiting].some((other) => queueOf(other) === queueOf(lane))
  }

  /**
   * Where one probe is due every lane is offered, though the breaker lets one in: a dead relay may still have the
   * job of whichever lane were chosen.
   */
  #startable(lanes: readonly Lane[]): Lane[] {
    return lanes.filter((lane) => {
      if (!this.#options.serves(lane.destination)) return false // its settings have gone since the look began
      if (this.#active.has(laneKey(lane)) || this.#heldBack.has(lane)) return false
      return this.#options.breakers.get(lane.destination).eligibility() !== 'none'
    })
  }

  #begin(job: LaneJob): void {
    const key = laneKey(job.lane)
    this.#offers.begun(job.lane)
    const linger = new IdleWait(
      (readAt) => this.#mayLinger(job.lane, readAt),
      // A backfill that is worked off says nothing of how many commits there are.
      (intents) => this.#flag.settled(intents),
    )
    // Another worker had taken the lane for a moment: the former turn is about to find that out, and is waited for, too.
    const former = this.#active.get(key)?.done
    const done = Promise.all([this.#options.work(job, linger), former]).then(() => {
      if (this.#active.get(key)?.job === job) this.#active.delete(key)
      this.#pace.worked()
      this.#signal.raise() // a job offered while the lane's job was active was refused: look again
    })
    this.#active.set(key, { job, linger, done })
  }
}
