import type { Database } from '../../store/connection/database.ts'
import { findCopy } from '../../store/origin/find-copy.ts'
import type { Lane } from '../../store/lanes/lane.ts'
import { type ReadyLanes, findReadyLanes } from '../../store/lanes/find-ready-lanes.ts'
import { promoteScheduled } from '../../store/lanes/promote-scheduled.ts'
import type { Breakers } from '../breaker/breakers.ts'
import type { WriteHorizon } from '../turn/write-horizon.ts'
import { LOOK_AT_ALL_MS } from '../wake-up/look-pace.ts'

/** Another relay is giving due intents their lanes: looked at again after this. */
const PROMOTED_ELSEWHERE_MS = 100
/** From a promotion that failed to the next one. */
const PROMOTION_FAILED_MS = 1_000

export interface LaneFinderOptions {
  readonly db: Database
  readonly breakers: Breakers
  readonly horizon: WriteHorizon
  /** The destinations that the relay serves: no others are read. */
  readonly served: () => readonly string[]
  readonly pollIntervalMs: number
  readonly onError: (error: Error) => void
}

/** Finds the lanes that have work; now and then also what the breakers' rows say, and what has fallen due. */
export class LaneFinder {
  readonly #options: LaneFinderOptions
  #syncDue = true
  #beganAt = Number.NEGATIVE_INFINITY
  #lookedAtAllAt = Number.NEGATIVE_INFINITY
  /** When the first delayed intent falls due, as far as is known. */
  #nextDueAt = Number.POSITIVE_INFINITY

  constructor(options: LaneFinderOptions) {
    this.#options = options
  }

  /** When the last look began: what was committed since, it may not have seen. */
  get beganAt(): number {
    return this.#beganAt
  }

  /** Milliseconds until a delayed intent falls due, as far as is known. */
  get dueInMs(): number {
    return this.#nextDueAt - performance.now()
  }

  /** The next look reads the breakers' rows too. */
  readBreakersNext(): void {
    this.#syncDue = true
  }

  /** @param atWork Lanes of which something is under way here: they are left out. */
  async find(atWork: readonly Lane[]): Promise<readonly Lane[]> {
    const { db, breakers, horizon, pollIntervalMs } = this.#options
    const served = this.#options.served()
    const now = performance.now()
    this.#beganAt = now
    const all =
      this.#syncDue ||
      breakers.stale ||
      now >= this.#nextDueAt ||
      // Also without a word: a notification may have been lost, and a person may have changed a row by hand.
      now - this.#lookedAtAllAt >= (atWork.length > 0 ? LOOK_AT_ALL_MS : 0.9 * pollIntervalMs)
    if (!all) return (await findReadyLanes(db, { served, except: atWork })).lanes
    this.#syncDue = false
    this.#lookedAtAllAt = now
    let found: ReadyLanes = { lanes: [] }
    const { lastReading } = horizon
    await breakers.syncWith(async (breakersOf) => {
      found = await findReadyLanes(db, { served, except: atWork, breakersOf })
      return found.breakers
    })
    if (found.isCopy) await this.#refuseCopy()
    if (found.sequence) await horizon.compare(found.sequence, lastReading)
    this.#nextDueAt = performance.now() + (found.dueInMs ?? Number.POSITIVE_INFINITY)
    return found.lanes
  }

  /** A pooler may lead its connections to another database without ending ours. */
  async #refuseCopy(): Promise<void> {
    const { db } = this.#options
    const copy = await findCopy((text) => db.query(text), db.names)
    if (copy) throw copy
  }

  /** Delayed intents whose time has come get their lanes; tells whether there were any. A failure stops no other intent. */
  async promote(): Promise<boolean> {
    if (this.dueInMs > 0) return false
    const { db, onError, served } = this.#options
    const promoted = await promoteScheduled(db, served()).catch((error: Error) => {
      onError(error)
      return undefined
    })
    const waitMs = promoted === undefined ? PROMOTION_FAILED_MS : promoted > 0 ? 0 : PROMOTED_ELSEWHERE_MS
    this.#nextDueAt = performance.now() + waitMs
    return promoted !== undefined && promoted > 0
  }
}
