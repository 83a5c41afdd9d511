/**
 * Decides whether commits send a notification, and how often the dispatcher polls meanwhile.
 *
 * A notification makes every commit slower, because Postgres serialises the commits that notify. So commits notify while
 * they are few. During a burst they do not, and the relay polls instead.
 *
 * | mode         | commits notify                                   | delay between polls                              |
 * | ------------ | ------------------------------------------------ | ------------------------------------------------ |
 * | `off`        | no: this relay would not receive it              | 20 ms until 200 ms after work, else the interval |
 * | `confirming` | yes, unless they read the flag before it changed | 50 ms                                            |
 * | `notifying`  | yes                                              | 200 ms during work, else the interval            |
 * | `burst`      | no                                               | 200 ms                                           |
 *
 * | from         | to           | when                                     |
 * | ------------ | ------------ | ---------------------------------------- |
 * | `off`        | `confirming` | a poll succeeds while the relay listens  |
 * | `confirming` | `notifying`  | 200 ms have passed                       |
 * | every mode   | `burst`      | 50 notifications arrive within 200 ms    |
 * | `burst`      | `confirming` | a poll succeeds after the cooldown       |
 * | every mode   | `off`        | the relay does not receive notifications |
 *
 * While only bulk lanes are at work, `off` and `burst` poll every 10 ms: a live event must not wait for a backfill.
 *
 * Notifications alone start a burst. It ends after a cooldown of 300 ms, doubled up to 2 s for each burst that follows soon.
 * While the relay settles over 200 intents a second, the burst goes on: commits are many, although none notifies. Without
 * this rule, 8 writers committed at 0.65 times their rate without notifications; with it, at 1.0 times.
 *
 * All relays of a fleet share one flag and receive the same notifications. So they reach the same mode.
 */
import { isBulk, type Lane } from '../../store/lanes/lane.ts'

export type Mode =
  | { readonly name: 'off' }
  /** `since`: when this relay turned notifications on. */
  | { readonly name: 'confirming' | 'notifying'; readonly since: number }
  /** `until`: the end of the cooldown. */
  | { readonly name: 'burst'; readonly until: number }

const OFF: Mode = { name: 'off' }

/** This many notifications within this many milliseconds are a burst: the apps must not pay for more. */
const BURST = { notifications: 50, withinMs: 200 }
/** Notifications of one session within this time belong to one transaction. The session could hardly have committed twice. */
const SAME_COMMIT_MS = 1
/**
 * Milliseconds for which a burst suspends notifications. Doubled for each burst that begins within `SOON_MS` of the last
 * cooldown.
 */
const COOLDOWN_MS = { first: 300, max: 2_000 }
const SOON_MS = 600
/** More settled intents than this, in this many milliseconds, prolong a burst. */
const BACKLOG_BURST = { intents: 40, withinMs: 200 }
/**
 * Milliseconds after which most transactions that read the flag before it was turned on have committed. Polls find the
 * others.
 */
const CONFIRM_MS = 200
/** Milliseconds after which the flag is written again: another relay may have changed it and died. */
const REWRITE_MS = 5_000

/**
 * Milliseconds between polls while commits notify and lanes are at work. Breakers and scheduled intents are read at this
 * pace, too.
 */
export const FULL_POLL_MS = 200
/**
 * Milliseconds between polls during a burst. The relay reads, sends and settles together what arrives between two polls. With
 * 50 ms, the polls and the small batches that they found cost 8 writers a third of their commit rate.
 */
const BURST_POLL_MS = 200
/** Milliseconds between polls while the mode is `off`, during work and for `AFTER_WORK_MS` after it. */
const OFF_POLL_MS = 20
const AFTER_WORK_MS = 200
const CONFIRMING_POLL_MS = 50
/** Milliseconds between polls while only bulk lanes are at work and commits do not notify. */
const BULK_POLL_MS = 10

export interface NotifyModeOptions {
  /** Writes the flag that enqueue reads: whether commits notify. */
  readonly writeFlag: (isOn: boolean) => Promise<void>
  /** Whether this relay receives notifications. */
  readonly isListening: () => boolean
  /** Commits do not notify from now on. The dispatcher must poll now. */
  readonly onSuspended: () => void
  readonly onError: (error: Error) => void
  /** Milliseconds. Default: `performance.now`. */
  readonly clock?: () => number
}

export class NotifyMode {
  readonly #options: NotifyModeOptions
  readonly #clock: () => number
  #mode: Mode = OFF
  #cooldownMs = COOLDOWN_MS.first
  /** The value of the flag that this relay wrote last; undefined before its first write. */
  #written: boolean | undefined
  #writtenAt = Number.NEGATIVE_INFINITY
  #writing: Promise<void> = Promise.resolve()
  /** When the last notifications arrived, the oldest first. */
  #arrivals: number[] = []
  #lastSender = { session: 0, at: Number.NEGATIVE_INFINITY }
  #workedAt = Number.NEGATIVE_INFINITY
  /** The count of settled intents, and when it was read last. */
  #settled = { count: 0, at: Number.NEGATIVE_INFINITY }

  constructor(options: NotifyModeOptions) {
    this.#options = options
    this.#clock = options.clock ?? (() => performance.now())
  }

  get mode(): Mode {
    if (!this.#options.isListening()) return OFF
    const mode = this.#mode
    const isConfirmed = mode.name === 'confirming' && this.#clock() - mode.since >= CONFIRM_MS
    return isConfirmed ? { name: 'notifying', since: mode.since } : mode
  }

  /** Whether commits notify, as far as this relay knows. */
  get isNotifying(): boolean {
    const { name } = this.mode
    return name === 'confirming' || name === 'notifying'
  }

  /**
   * Records a notification. A transaction that wrote to several lanes sends several.
   *
   * @param session The process id of the session that sent it.
   */
  record(session: number): void {
    const now = this.#clock()
    const isSameCommit = session === this.#lastSender.session && now - this.#lastSender.at < SAME_COMMIT_MS
    if (isSameCommit) return
    this.#lastSender = { session, at: now }
    this.#arrivals.push(now)
    if (this.#arrivals.length < BURST.notifications) return
    const first = this.#arrivals.shift() ?? now
    if (now - first <= BURST.withinMs) this.#suspend(now)
  }

  /**
   * Turns notifications on or off after a poll, and refreshes the flag.
   *
   * @param foundWork Whether the poll found work. If so, a relay that does not listen clears a flag that another relay left
   * on.
   * @param settled How many intents this relay has settled since it started.
   * @returns whether notifications were turned on just now. If so, the caller polls once more, because earlier commits did
   * not notify.
   */
  async afterPoll(foundWork: boolean, settled: number): Promise<boolean> {
    const { name } = this.mode
    const isRewriteDue = this.#clock() - this.#writtenAt >= REWRITE_MS
    this.#prolongBurst(settled)
    if (!this.#options.isListening()) {
      this.#mode = OFF
      if (this.#written === true || (foundWork && isRewriteDue)) await this.#write(false)
      return false
    }
    if (name === 'off') return this.#turnOn()
    if (this.#mode.name === 'burst') return this.#clock() >= this.#mode.until && this.#turnOn()
    if (isRewriteDue) await this.#write(true)
    return false
  }

  /**
   * Milliseconds until the next poll; undefined: the poll interval.
   *
   * @param atWork The lanes that this relay is reading, sending or settling.
   */
  pollDelayMs(atWork: readonly Lane[]): number | undefined {
    if (atWork.length > 0) this.turnEnded()
    return pollDelayMs(this.mode.name, atWork, this.#clock() - this.#workedAt)
  }

  /** Records that lanes were at work until now. */
  turnEnded(): void {
    this.#workedAt = this.#clock()
  }

  /** Turns notifications on: the mode becomes `confirming`. */
  async #turnOn(): Promise<boolean> {
    const before = this.#mode
    await this.#write(true)
    if (this.#mode !== before) return false // a burst began meanwhile
    this.#mode = { name: 'confirming', since: this.#clock() }
    return true
  }

  /** Turns notifications off: the mode becomes `burst`. */
  #suspend(now: number): void {
    const before = this.#mode
    this.#arrivals = []
    // During a burst, so many notifications show that another relay has turned them on. Then this relay waits for longer, but
    // the cooldown does not grow.
    if (before.name !== 'burst') {
      const isSoon = before.name !== 'off' && now - before.since < SOON_MS
      this.#cooldownMs = isSoon ? Math.min(2 * this.#cooldownMs, COOLDOWN_MS.max) : COOLDOWN_MS.first
    }
    this.#mode = { name: 'burst', until: now + this.#cooldownMs }
    this.#write(false).then(this.#options.onSuspended, this.#options.onError)
  }

  /** Lets a burst end later while the relay settles many intents. */
  #prolongBurst(settled: number): void {
    const now = this.#clock()
    const { count, at } = this.#settled
    const periods = Math.max(1, (now - at) / BACKLOG_BURST.withinMs)
    const isMany = settled - count > BACKLOG_BURST.intents * periods
    if (now - at >= BACKLOG_BURST.withinMs) this.#settled = { count: settled, at: now }
    if (!isMany || this.#mode.name !== 'burst') return
    this.#mode = { name: 'burst', until: Math.max(this.#mode.until, now + COOLDOWN_MS.first) }
  }

  /** Writes the flag, after all earlier writes have ended, so that the last decision is the last that is written. */
  #write(isOn: boolean): Promise<void> {
    const written = this.#writing.then(async () => {
      await this.#options.writeFlag(isOn)
      this.#written = isOn
      this.#writtenAt = this.#clock()
    })
    this.#writing = written.catch(() => {})
    return written
  }
}

/** Milliseconds until the next poll in a mode; undefined: the poll interval. */
export function pollDelayMs(
  mode: Mode['name'],
  atWork: readonly Lane[],
  sinceWorkMs: number,
): number | undefined {
  const isWorking = atWork.length > 0
  if (mode === 'confirming') return CONFIRMING_POLL_MS
  if (mode === 'notifying') return isWorking ? FULL_POLL_MS : undefined
  if (isWorking && atWork.every(isBulk)) return BULK_POLL_MS
  if (mode === 'burst') return BURST_POLL_MS
  return sinceWorkMs < AFTER_WORK_MS ? OFF_POLL_MS : undefined
}
