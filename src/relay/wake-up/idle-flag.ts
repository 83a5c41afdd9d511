/** So many notifications within so many ms are a flood: the apps are not to pay for more. */
const FLOOD = { notifications: 50, withinMs: 200 }
/** Notifications of one session within this are of one transaction: it could hardly have made another. */
const SAME_COMMIT_MS = 1
/** Settling more intents than this within so many ms says that a flood goes on which nobody notifies of. */
const MUCH = { intents: 40, withinMs: 200 }
/** Down for at least this long, doubled where a flood comes as soon as it is up again. */
const DOWN_MS = { first: 300, max: 2_000 }
/** Transactions that enqueued while it was down have mostly ended after this; the polls find what the others commit. */
const NEW_MS = 200
/** The idle flag is said again this often: another relay may have changed it and died. */
const AGAIN_MS = 5_000

export interface IdleFlagOptions {
  readonly set: (idle: boolean) => Promise<void>
  /** Whether a notification would be heard: only then are the apps asked for one. */
  readonly hears: () => boolean
  /** From now on commits do not notify, though they may have been told of: they are to be looked for. */
  readonly onLowered: () => void
  readonly onError: (error: Error) => void
  /** Milliseconds. Default: `performance.now`. */
  readonly clock?: () => number
}

/**
 * Whether commits notify. A notification slows every commit, so they do while they are few, and while they are many
 * the relay looks by itself. Every relay that hears them counts the same notifications, so that the relays, who
 * share one flag, come to the same end.
 */
export class IdleFlag {
  readonly #options: IdleFlagOptions
  readonly #clock: () => number
  #said: boolean | undefined
  #saidAt = Number.NEGATIVE_INFINITY
  #raisedAt = Number.NEGATIVE_INFINITY
  #downMs = DOWN_MS.first
  #downUntil = Number.NEGATIVE_INFINITY
  #heardAt: number[] = []
  #last = { from: 0, at: Number.NEGATIVE_INFINITY }
  #settled = { since: 0, intents: 0 }
  #saying: Promise<void> = Promise.resolve()

  constructor(options: IdleFlagOptions) {
    this.#options = options
    this.#clock = options.clock ?? (() => performance.now())
  }

  /** Whether commits notify, as far as this relay knows. */
  get isUp(): boolean {
    return this.#said === true && this.#options.hears()
  }

  /** Whether it is up, and was not a moment ago: who looked at it before, and commits now, notifies nobody. */
  get isNew(): boolean {
    return this.isUp && this.#clock() - this.#raisedAt < NEW_MS
  }

  /** Whether it is down only for as long as commits are many. */
  get isDue(): boolean {
    return this.#said !== true && this.#options.hears()
  }

  /** A transaction of the session `from` has notified: of several lanes, perhaps, and then several times at once. */
  heard(from: number): void {
    const now = this.#clock()
    if (from === this.#last.from && now - this.#last.at < SAME_COMMIT_MS) return
    this.#last = { from, at: now }
    this.#heardAt.push(now)
    if (this.#heardAt.length < FLOOD.notifications) return
    const [first = now] = this.#heardAt
    this.#heardAt.shift()
    if (now - first > FLOOD.withinMs) return
    this.#heardAt = []
    const soon = now - this.#raisedAt < 2 * DOWN_MS.first
    this.#downMs = soon ? Math.min(2 * this.#downMs, DOWN_MS.max) : DOWN_MS.first
    this.#downUntil = now + this.#downMs
    this.#say(false).then(this.#options.onLowered, this.#options.onError)
  }

  settled(intents: number): void {
    const now = this.#clock()
    if (now - this.#settled.since > MUCH.withinMs) this.#settled = { since: now, intents: 0 }
    this.#settled.intents += intents
    if (this.#settled.intents <= MUCH.intents || this.#said === true) return
    this.#downUntil = Math.max(this.#downUntil, now + DOWN_MS.first)
  }

  /**
   * Puts the flag right after a look.
   *
   * @param found Whether the look found work: a relay that hears nothing takes down, then, what another may have left.
   * @returns whether it is up now and was not: what was committed before told nobody.
   */
  async update(found: boolean): Promise<boolean> {
    const now = this.#clock()
    const again = now - this.#saidAt >= AGAIN_MS
    if (!this.#options.hears()) {
      if (this.#said === true || (found && (this.#said === undefined || again))) await this.#say(false)
      return false
    }
    if (now < this.#downUntil || (this.#said === true && !again)) return false
    const raised = this.#said !== true
    await this.#say(true)
    if (raised) this.#raisedAt = this.#clock()
    return raised && this.#said === true
  }

  /** One after the other: the last word is the last that was said. */
  #say(idle: boolean): Promise<void> {
    const said = this.#saying.then(async () => {
      await this.#options.set(idle)
      this.#said = idle
      this.#saidAt = this.#clock()
    })
    this.#saying = said.catch(() => {})
    return said
  }
}
