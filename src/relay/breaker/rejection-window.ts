import type { DeadLetter, Settlement } from '../../store/lanes/settle.ts'

export interface RejectionSettings {
  /** Rejections that stop a destination. 0: none do. */
  readonly rejections: number
  /** Their share of the last intents, above 0, at most 1. */
  readonly rejectionShare: number
}

/** The part of an answer that may be settled. */
export interface Admitted {
  readonly settlement: Settlement
  /** Too many intents were rejected: the destination must stop. */
  readonly stop?: Rejections
}

/** How many of the last intents were rejected, and with which statuses. */
export interface Rejections {
  readonly rejected: number
  readonly of: number
  readonly statuses: readonly number[]
}

/** Milliseconds. After an hour the window begins anew: rejections that are spread over hours are exceptions. */
const WINDOW_MS = 3_600_000

/**
 * The last intents that a destination's answers have settled, and which of them were rejected. The length of the window is
 * `rejections` / `rejectionShare`. So if it holds `rejections` rejected intents, they are at least that share of it. A small
 * system with few events never reaches the limit. A stream of which a tenth is rejected fills a tenth of the window.
 */
export class RejectionWindow {
  readonly #most: number
  readonly #now: () => number
  #beganAt: number
  /** A ring buffer: the status of each rejected intent, 0 for each delivered one. */
  readonly #last: Uint16Array
  #next = 0
  #settled = 0
  #rejected = 0

  /** @param now Milliseconds. Default: `performance.now`. */
  constructor({ rejections, rejectionShare }: RejectionSettings, now = () => performance.now()) {
    this.#most = rejections
    this.#now = now
    this.#beganAt = now()
    this.#last = new Uint16Array(Math.ceil(rejections / rejectionShare))
  }

  clear(): void {
    this.#beganAt = this.#now()
    this.#last.fill(0)
    this.#settled = 0
    this.#rejected = 0
  }

  /**
   * Counts an answer, and removes the rejections that are beyond the limit: their intents stay in the queue.
   *
   * @param mustGo Whether the intent with this id would be overtaken if it stayed: a later one of its key was delivered.
   */
  admit(settlement: Settlement, mustGo: (id: string) => boolean): Admitted {
    if (this.#most === 0) return { settlement }
    if (this.#now() - this.#beganAt > WINDOW_MS) this.clear()
    for (let n = Math.min(settlement.delivered.length, this.#last.length); n > 0; n--) this.#count(0)
    const dead = settlement.dead.filter((letter) => {
      if (!isRejection(letter)) return true
      if (this.#rejected >= this.#most) return mustGo(letter.id)
      this.#count(letter.status ?? 0)
      return true
    })
    if (this.#rejected < this.#most) return { settlement }
    const statuses = [...new Set(this.#last)].filter((status) => status !== 0)
    const stop = { rejected: this.#rejected, of: Math.min(this.#settled, this.#last.length), statuses }
    return { settlement: { ...settlement, dead }, stop }
  }

  #count(status: number): void {
    if (this.#last[this.#next] !== 0) this.#rejected--
    if (status !== 0) this.#rejected++
    this.#last[this.#next] = status
    this.#next = (this.#next + 1) % this.#last.length
    this.#settled++
  }
}

/** The settlement without its rejections: their intents stay in the queue. */
export function withoutRejections(settlement: Settlement, mustGo: (id: string) => boolean): Settlement {
  const dead = settlement.dead.filter((letter) => !isRejection(letter) || mustGo(letter.id))
  return dead.length === settlement.dead.length ? settlement : { ...settlement, dead }
}

/** Whether an answer has refused the content. An intent that the relay itself finds too large has no status. */
function isRejection({ reason, status }: DeadLetter): boolean {
  return status !== undefined && (reason === 'rejected' || reason === 'too_large')
}
