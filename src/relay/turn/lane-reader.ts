import type { Database } from '../../store/connection/database.ts'
import type { Fence, LaneWatermark } from '../../store/lanes/lane.ts'
import { ZERO_WATERMARK, type QueuedIntent, readLane } from '../../store/lanes/read-lane.ts'
import { reportWatermark } from '../../store/lanes/claim-lane.ts'
import { DutyCycle } from '../timing/duty-cycle.ts'
import type { WriteHorizon } from './write-horizon.ts'

/** Bytes of payloads that one read may bring: a full request and some more. */
const READ_BYTES = 600_000
/** The watermark is written to the database when it has risen this far, in `seq` of all lanes: polls begin at it. */
const REPORT_EVERY = 100_000n
/** The same distance for a lane that is drained and stays with its worker. */
const REPORT_WHEN_IDLE = 1_000n

export interface LaneReaderOptions {
  /** The most intents of one read. */
  readonly size: number
  /** The workspace's limit. Undefined: none. */
  readonly maxAgeSeconds: number | undefined
}

/**
 * Reads a lane in order, the next rows while the last ones are sent.
 *
 * Settled rows are skipped by a watermark, because dead rows stay in the way of a scan while any snapshot is older. The
 * watermark begins where the last turn ended. It passes no transaction that may still commit without naming it
 * (`WriteHorizon`), so a row that commits late takes its place in the order.
 */
export class LaneReader {
  readonly #db: Database
  readonly #fence: Fence
  readonly #size: number
  readonly #maxAgeSeconds: number | undefined
  readonly #horizon: WriteHorizon
  /** Read and not yet settled, in order. */
  #rows: QueuedIntent[] = []
  /** Ordering keys whose rows stay in the queue, unread. */
  #skippedKeys: ReadonlySet<string> = new Set()
  #watermark: LaneWatermark
  /** What the watermark may rise to once all rows that were read are settled. */
  #readWatermark: LaneWatermark
  #reportedTo: bigint
  #readAt = Number.NEGATIVE_INFINITY
  /** Whether the last read left no row behind. A notification or a poll reports later rows. */
  #readAll = false
  /** Whether a notification or a poll has found work in the lane since the last read. */
  #isMarkedUnread = false
  readonly #rereadCycle = new DutyCycle()
  #horizonError: Error | undefined

  constructor(
    db: Database,
    claimed: Fence & { readonly watermark: LaneWatermark },
    { size, maxAgeSeconds }: LaneReaderOptions,
    horizon: WriteHorizon,
  ) {
    this.#db = db
    this.#fence = claimed
    this.#size = size
    this.#maxAgeSeconds = maxAgeSeconds
    this.#horizon = horizon
    this.#watermark = claimed.watermark
    this.#readWatermark = claimed.watermark
    this.#reportedTo = claimed.watermark.provisionalWatermark
  }

  /** How far the lane is known to be settled. */
  get watermark(): LaneWatermark {
    return this.#watermark
  }

  /** When the last read began, by `performance.now()`. */
  get readAt(): number {
    return this.#readAt
  }

  /** Writes the watermark of a drained lane, so that polls need not walk through what was settled. */
  async flushWatermark(): Promise<void> {
    if (this.#watermark.provisionalWatermark - this.#reportedTo >= REPORT_WHEN_IDLE) await this.#report()
  }

  /** The next rows in order. None if the lane is empty, or all rows that were found in it are settled. */
  async peek(): Promise<readonly QueuedIntent[]> {
    if (this.#rows.length > 0 || this.#readAll) return this.#rows
    await this.#read()
    if (this.#rows.length === 0 && this.#isMarkedUnread) await this.#reread()
    this.#isMarkedUnread = false
    return this.#rows
  }

  /**
   * A notification or a poll found work in the lane, and there is none above the watermark. Usually this turn has settled it
   * already. But a poll begins at the watermark of the database, and may find rows below this one: an operator has put rows
   * back, or the server has lost commits. So the lane is read from the beginning.
   */
  async #reread(): Promise<void> {
    if (!this.#rereadCycle.isDue) return
    const began = performance.now()
    this.#watermark = ZERO_WATERMARK
    await this.#read()
    this.#rereadCycle.completed(began)
  }

  /** Makes the next `peek` read the lane: it holds more than the last read found. */
  markUnread(): void {
    this.#readAll = false
    this.#isMarkedUnread = true
  }

  /** Skips these keys, as `skipKeys` does, and lets the next read find rows that came meanwhile. */
  refresh(keys: ReadonlySet<string>): void {
    this.skipKeys(keys)
    this.#readAll = false
  }

  /** Read and not yet settled, in order. */
  get rows(): readonly QueuedIntent[] {
    return this.#rows
  }

  /** Reads on while the first `sending` rows are sent, unless the last read left no row behind. */
  async readAhead(sending: number): Promise<void> {
    if (this.#readAll) return
    const waiting = this.#rows.slice(sending)
    const bytes = waiting.reduce((sum, { size }) => sum + size, 0)
    if (waiting.length < this.#size && bytes < READ_BYTES) await this.#read(sending)
  }

  /**
   * Leaves the rows of these keys in the queue, unread: however many there are, they take no other row's place. Meanwhile the
   * watermark stays, below all of them. Keys that were skipped before and are not given now are read again.
   */
  skipKeys(keys: ReadonlySet<string>): void {
    if ([...this.#skippedKeys].some((key) => !keys.has(key))) {
      // Skipped rows of the other keys are below what has been read since.
      this.#readWatermark = this.#watermark
      this.#readAll = false
    }
    this.#skippedKeys = keys
    this.#rows = this.#rows.filter(({ orderingKey }) => !keys.has(orderingKey))
  }

  /** Removes the rows of these `seq`, which may be settled in any order, and raises the watermark. */
  drop(settled: ReadonlySet<string>): void {
    this.#rows = this.#rows.filter(({ seq }) => !settled.has(seq))
    this.#raiseWatermark()
  }

  #raiseWatermark(): void {
    if (this.#skippedKeys.size > 0) return
    const [next] = this.#rows
    const to = next && BigInt(next.seq) - 1n
    const watermark = max(this.#watermark.watermark, min(to, this.#readWatermark.watermark))
    const provisionalWatermark = max(
      this.#watermark.provisionalWatermark,
      watermark,
      min(to, this.#readWatermark.provisionalWatermark),
    )
    this.#watermark = {
      watermark,
      provisionalWatermark,
      provisionalXids: provisionalWatermark > watermark ? this.#readWatermark.provisionalXids : [],
    }
  }

  async #read(sending = 0): Promise<void> {
    await this.#advanceHorizon()
    // The horizon's values from before the read hold for every read that begins later.
    const { confirmed, provisional } = this.#horizon.onServer(this.#fence.server)
    const { server, lastSeq } = this.#horizon.lastReading
    if (this.#watermark.provisionalWatermark - this.#reportedTo >= REPORT_EVERY) await this.#report()
    this.#readAt = performance.now()
    const { rows, complete, fellBack } = await readLane(this.#db, this.#fence, {
      from: this.#watermark,
      except: this.#rows.map((row) => row.seq),
      exceptKeys: [...this.#skippedKeys],
      limit: this.#size,
      bytes: READ_BYTES,
      maxAgeSeconds: this.#maxAgeSeconds,
      fence: this.#fence,
      lastSeq: server === this.#fence.server ? lastSeq : 0n,
    })
    if (fellBack) {
      const { watermark } = this.#watermark
      this.#watermark = { watermark, provisionalWatermark: watermark, provisionalXids: [] }
    }
    this.#readAll = complete
    const last = rows.at(-1)
    const readTo = complete || !last ? undefined : BigInt(last.seq)
    this.#readWatermark = {
      watermark: min(readTo, confirmed),
      provisionalWatermark: min(readTo, provisional.seq),
      // The watermark's transactions are asked for until one has ended, whatever the horizon says by then.
      provisionalXids: [...new Set([...this.#watermark.provisionalXids, ...provisional.xids])],
    }
    this.#rows = [...this.#rows.slice(0, sending), ...merge(this.#rows.slice(sending), rows)]
    if (this.#rows.length === 0) this.#raiseWatermark()
  }

  /** Waits for the horizon only if it knows nothing of this server: a watermark that is too low costs less than the wait. */
  async #advanceHorizon(): Promise<void> {
    const error = this.#horizonError
    this.#horizonError = undefined
    if (error) throw error
    const advancing = this.#horizon.advance()
    if (this.#horizon.onServer(this.#fence.server).confirmed === 0n) return advancing
    advancing.catch((failure) => {
      this.#horizonError = failure // the next read throws it
    })
  }

  async #report(): Promise<void> {
    this.#reportedTo = this.#watermark.provisionalWatermark
    await reportWatermark(this.#db, this.#fence, this.#watermark)
  }
}

function min(a: bigint | undefined, b: bigint): bigint {
  return a !== undefined && a < b ? a : b
}

function max(...values: readonly bigint[]): bigint {
  return values.reduce((a, b) => (a > b ? a : b))
}

/** A row that commits late may belong before rows that were read earlier, but never before rows that are being sent. */
function merge(waiting: readonly QueuedIntent[], found: readonly QueuedIntent[]): QueuedIntent[] {
  const [last, first] = [waiting.at(-1), found[0]]
  const rows = [...waiting, ...found]
  if (!last || !first || BigInt(last.seq) < BigInt(first.seq)) return rows
  return rows.sort((a, b) => (BigInt(a.seq) < BigInt(b.seq) ? -1 : 1))
}
