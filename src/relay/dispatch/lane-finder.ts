import type { Database } from '../../store/connection/database.ts'
import { findCopy } from '../../store/origin/find-copy.ts'
import type { Lane } from '../../store/lanes/lane.ts'
import { type ReadyLanes, findReadyLanes } from '../../store/lanes/find-ready-lanes.ts'
import { promoteScheduled } from '../../store/lanes/promote-scheduled.ts'
import type { Breakers } from '../breaker/breakers.ts'
import type { Destinations } from '../destination/destinations.ts'
import type { WriteHorizon } from '../turn/write-horizon.ts'
import { FULL_POLL_MS } from '../wake-up/notify-mode.ts'

/**
 * Milliseconds until the next promotion after one that found nothing: another relay is moving the due intents to their lanes.
 */
const PROMOTED_ELSEWHERE_MS = 100
/** Milliseconds until the next promotion after one that failed. */
const PROMOTION_FAILED_MS = 1_000

export interface LaneFinderOptions {
  readonly db: Database
  readonly breakers: Breakers
  readonly horizon: WriteHorizon
  readonly destinations: Pick<Destinations, 'names'>
  readonly pollIntervalMs: number
  readonly onError: (error: Error) => void
}

/**
 * Finds the lanes that have work. A full poll also reads the breakers' rows and applies them (`Breakers.syncWith`): this is
 * how the relay learns what other relays and operators have changed. It also reads when the next scheduled intent is due, and
 * whether the database is a copy or its numbers (`seq`) have run backwards.
 */
export class LaneFinder {
  readonly #options: LaneFinderOptions
  #isFullPollDue = true
  #lastPollAt = Number.NEGATIVE_INFINITY
  #lastFullPollAt = Number.NEGATIVE_INFINITY
  /** When the first scheduled intent falls due, as of the last full poll. */
  #nextDueAt = Number.POSITIVE_INFINITY

  constructor(options: LaneFinderOptions) {
    this.#options = options
  }

  /** When the last poll began, by `performance.now()`. It may not have seen later commits. */
  get lastPollAt(): number {
    return this.#lastPollAt
  }

  /** Milliseconds until a scheduled intent falls due, as of the last full poll. */
  get dueInMs(): number {
    return this.#nextDueAt - performance.now()
  }

  /** Makes the next poll a full one. */
  readBreakersNext(): void {
    this.#isFullPollDue = true
  }

  /**
   * Polls for lanes with work.
   *
   * @param atWork Lanes that this relay is working: they are left out.
   */
  async find(atWork: readonly Lane[]): Promise<readonly Lane[]> {
    const { db, destinations } = this.#options
    const now = performance.now()
    this.#lastPollAt = now
    if (this.#isFull(now, atWork)) return this.#findAndSync(atWork)
    return (await findReadyLanes(db, { served: destinations.names, except: atWork })).lanes
  }

  /**
   * Whether the next poll is a full one. Full polls also run without a notification, because one may be lost and an operator
   * may have changed a row by hand.
   */
  #isFull(now: number, atWork: readonly Lane[]): boolean {
    const { breakers, pollIntervalMs } = this.#options
    // 200 ms while lanes are at work.
    const everyMs = atWork.length > 0 ? FULL_POLL_MS : 0.9 * pollIntervalMs
    const isTime = now - this.#lastFullPollAt >= everyMs
    return this.#isFullPollDue || breakers.mustReadAgain || now >= this.#nextDueAt || isTime
  }

  async #findAndSync(atWork: readonly Lane[]): Promise<readonly Lane[]> {
    const { db, breakers, horizon, destinations } = this.#options
    this.#isFullPollDue = false
    this.#lastFullPollAt = this.#lastPollAt
    const { lastReading } = horizon
    const served = destinations.names
    let found: ReadyLanes = { lanes: [] }
    await breakers.syncWith(async (breakersOf) => {
      found = await findReadyLanes(db, { served, except: atWork, breakersOf })
      return found.breakers
    })
    if (found.isCopy) await this.#refuseCopy()
    if (found.sequence) await horizon.compare(found.sequence, lastReading)
    this.#nextDueAt = performance.now() + (found.dueInMs ?? Number.POSITIVE_INFINITY)
    return found.lanes
  }

  /** Throws if the database is a copy. A pooler may move connections to another database without closing the relay's own. */
  async #refuseCopy(): Promise<void> {
    const { db } = this.#options
    const copy = await findCopy((text) => db.query(text), db.names)
    if (copy) throw copy
  }

  /**
   * Moves scheduled intents that are due to their lanes. A failure delays no other intent.
   *
   * @returns whether it moved any.
   */
  async promoteScheduled(): Promise<boolean> {
    if (this.dueInMs > 0) return false
    const { db, onError, destinations } = this.#options
    const promoted = await promoteScheduled(db, destinations.names).catch((error: Error) => {
      onError(error)
      return undefined
    })
    const waitMs = promoted === undefined ? PROMOTION_FAILED_MS : promoted > 0 ? 0 : PROMOTED_ELSEWHERE_MS
    this.#nextDueAt = performance.now() + waitMs
    return promoted !== undefined && promoted > 0
  }
}
