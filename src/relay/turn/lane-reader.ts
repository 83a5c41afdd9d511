import type { Database } from '../../store/connection/database.ts'
import type { Fence, LaneWatermark } from '../../store/lanes/lane.ts'
import { ZERO_WATERMARK, type QueuedIntent, readLane } from '../../store/lanes/read-lane.ts'
import { reportWatermark } from '../../store/lanes/claim-lane.ts'
import { DutyCycle } from '../timing/duty-cycle.ts'
import type { WriteHorizon } from './write-horizon.ts'

/** Bytes of payloads that one read may bring: one full request and some. */
const READ_BYTES = 600_000
/** How far the bound may rise, in `seq` of all lanes, before it is written down for the others who look at the lane. */
const REPORT_EVERY = 100_000n
/** The same where the lane is drained and stays with its worker. */
const REPORT_AT_REST = 1_000n

export interface LaneReaderOptions {
  /** Intents of one read, at most. */
  readonly size: number
  /** The workspace's. */
  readonly maxAgeSeconds: number | undefined
}

/**
 * Reads a lane in order, the next rows while the last ones are on their way.
 *
 * What was settled is skipped by a lower bound, because dead rows stay in the way of a scan while any snapshot is
 * older. It begins where the last turn ended, and passes no transaction that may still commit without naming it
 * (`Horizon`), so a row that commits late takes its place in the order.
 */
export class LaneReader {
  readonly #db: Database
  readonly #fence: Fence
  readonly #size: number
  readonly #maxAgeSeconds: number | undefined
  readonly #horizon: WriteHorizon
  /** Read and not yet settled, in order. */
  #rows: QueuedIntent[] = []
  /** Ordering keys that are left in the queue. */
  #leftKeys: ReadonlySet<string> = new Set()
  #bound: LaneWatermark
  /** As the bound may be, once everything that was read is settled. */
  #seen: LaneWatermark
  #reportedTo: bigint
  #readAt = Number.NEGATIVE_INFINITY
  /** The last read has left nothing behind. What has come since is told by a notification, or found by a look. */
  #readAll = false
  /** Somebody has seen work in the lane since. */
  #moreIsSaid = false
  readonly #behindPace = new DutyCycle()
  #horizonError: Error | undefined

  constructor(
    db: Database,
    taken: Fence & { readonly bound: LaneWatermark },
    { size, maxAgeSeconds }: LaneReaderOptions,
    horizon: WriteHorizon,
  ) {
    this.#db = db
    this.#fence = taken
    this.#size = size
    this.#maxAgeSeconds = maxAgeSeconds
    this.#horizon = horizon
    this.#bound = taken.bound
    this.#seen = taken.bound
    this.#reportedTo = taken.bound.provisionalWatermark
  }

  /** How far the lane is known to be settled. */
  get watermark(): LaneWatermark {
    return this.#bound
  }

  /** When the last read began, by `performance.now()`. */
  get readAt(): number {
    return this.#readAt
  }

  /** The lane is empty, and others go on looking at it. */
  async flushWatermark(): Promise<void> {
    if (this.#bound.provisionalWatermark - this.#reportedTo >= REPORT_AT_REST) await this.#report()
  }

  /** The next rows in order; none when the lane was found empty, or all that was found in it is settled. */
  async peek(): Promise<readonly QueuedIntent[]> {
    if (this.#rows.length > 0 || this.#readAll) return this.#rows
    await this.#read()
    if (this.#rows.length === 0 && this.#moreIsSaid) await this.#lookBehind()
    this.#moreIsSaid = false
    return this.#rows
  }

  /**
   * Work was seen in the lane, and none is there from the bound on. Mostly it was had already; but the looks begin at the
   * row's bound, and may see what the lane's own passes by: somebody has put back rows, or the server has lost commits.
   */
  async #lookBehind(): Promise<void> {
    if (!this.#behindPace.isDue) return
    const began = performance.now()
    this.#bound = ZERO_WATERMARK
    await this.#read()
    this.#behindPace.completed(began)
  }

  /** There is more in the lane than was found at the last read. */
  markUnread(): void {
    this.#readAll = false
    this.#moreIsSaid = true
  }

  /** As `leave`; what has come meanwhile is read, too. */
  refresh(keys: ReadonlySet<string>): void {
    this.skipKeys(keys)
    this.#readAll = false
  }

  /** Read and not yet settled, in order. */
  get rows(): readonly QueuedIntent[] {
    return this.#rows
  }

  /** Reads on while the first `sending` rows are on their way; not where nothing was left behind them. */
  async readAhead(sending: number): Promise<void> {
    if (this.#readAll) return
    const waiting = this.#rows.slice(sending)
    const bytes = waiting.reduce((sum, { size }) => sum + size, 0)
    if (waiting.length < this.#size && bytes < READ_BYTES) await this.#read(sending)
  }

  /**
   * What is of these keys is left in the queue and read no more: however much of it there is, it takes nobody's place. While
   * there are any the bound stays, below all that is left. What was left of other keys may be read again.
   */
  skipKeys(keys: ReadonlySet<string>): void {
    if ([...this.#leftKeys].some((key) => !keys.has(key))) {
      // What was left of the others is below what has been read since.
      this.#seen = this.#bound
      this.#readAll = false
    }
    this.#leftKeys = keys
    this.#rows = this.#rows.filter(({ orderingKey }) => !keys.has(orderingKey))
  }

  /** The rows of these `seq` are settled, wherever they stood. */
  drop(gone: ReadonlySet<string>): void {
    this.#rows = this.#rows.filter(({ seq }) => !gone.has(seq))
    this.#raiseBound()
  }

  #raiseBound(): void {
    if (this.#leftKeys.size > 0) return
    const [next] = this.#rows
    const to = next && BigInt(next.seq) - 1n
    const watermark = max(this.#bound.watermark, min(to, this.#seen.watermark))
    const provisionalWatermark = max(
      this.#bound.provisionalWatermark,
      watermark,
      min(to, this.#seen.provisionalWatermark),
    )
    this.#bound = {
      watermark,
      provisionalWatermark,
      provisionalXids: provisionalWatermark > watermark ? this.#seen.provisionalXids : [],
    }
  }

  async #read(sending = 0): Promise<void> {
    await this.#advance()
    // As they are before the read: what they promise is true of whatever begins after.
    const { confirmed, provisional } = this.#horizon.onServer(this.#fence.server)
    const { server, lastSeq } = this.#horizon.lastReading
    if (this.#bound.provisionalWatermark - this.#reportedTo >= REPORT_EVERY) await this.#report()
    this.#readAt = performance.now()
    const { rows, complete, fellBack } = await readLane(this.#db, this.#fence, {
      from: this.#bound,
      except: this.#rows.map((row) => row.seq),
      exceptKeys: [...this.#leftKeys],
      limit: this.#size,
      bytes: READ_BYTES,
      maxAgeSeconds: this.#maxAgeSeconds,
      fence: this.#fence,
      lastSeq: server === this.#fence.server ? lastSeq : 0n,
    })
    if (fellBack)
      this.#bound = { ...this.#bound, provisionalWatermark: this.#bound.watermark, provisionalXids: [] }
    this.#readAll = complete
    const last = rows.at(-1)
    const readTo = complete || !last ? undefined : BigInt(last.seq)
    this.#seen = {
      watermark: min(readTo, confirmed),
      provisionalWatermark: min(readTo, provisional.seq),
      // Those of the bound are asked for again and again until one is over, whatever the horizon says by then.
      provisionalXids: [...new Set([...this.#bound.provisionalXids, ...provisional.xids])],
    }
    this.#rows = [...this.#rows.slice(0, sending), ...merge(this.#rows.slice(sending), rows)]
    if (this.#rows.length === 0) this.#raiseBound()
  }

  /** What it comes to is the next read's: a bound that is lower than it might be costs less than waiting does. */
  async #advance(): Promise<void> {
    const error = this.#horizonError
    this.#horizonError = undefined
    if (error) throw error
    const moving = this.#horizon.advance()
    if (this.#horizon.onServer(this.#fence.server).confirmed === 0n) return moving
    moving.catch((failure) => {
      this.#horizonError = failure
    })
  }

  async #report(): Promise<void> {
    this.#reportedTo = this.#bound.provisionalWatermark
    await reportWatermark(this.#db, this.#fence, this.#bound)
  }
}

function min(a: bigint | undefined, b: bigint): bigint {
  return a !== undefined && a < b ? a : b
}

function max(...values: readonly bigint[]): bigint {
  return values.reduce((a, b) => (a > b ? a : b))
}

/** A late row may belong before rows that were read earlier, though never before those that are on their way. */
function merge(waiting: readonly QueuedIntent[], found: readonly QueuedIntent[]): QueuedIntent[] {
  const [last, first] = [waiting.at(-1), found[0]]
  const rows = [...waiting, ...found]
  if (!last || !first || BigInt(last.seq) < BigInt(first.seq)) return rows
  return rows.sort((a, b) => (BigInt(a.seq) < BigInt(b.seq) ? -1 : 1))
}
