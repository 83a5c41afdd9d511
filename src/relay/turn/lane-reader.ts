import type { Database } from '../../store/connection/database.ts'
import type { Fence, LaneWatermark } from '../../store/lanes/lane.ts'
import type { QueuedIntent } from '../../store/lanes/queued-intent.ts'
import { ZERO_WATERMARK, readLane } from '../../store/lanes/read-lane.ts'
import { reportWatermark } from '../../store/lanes/claim-lane.ts'
import { DutyCycle } from '../timing/duty-cycle.ts'
import type { HeldKeys } from './held-keys.ts'
import type { WriteHorizon } from './write-horizon.ts'

/** Bytes of payloads that one read may bring: a full request and some more. */
const READ_BYTES = 600_000
/**
 * The watermark is written to the database whenever it has risen by this much, because polls begin at the written one. All
 * lanes share the numbers (`seq`).
 */
const REPORT_EVERY = 100_000n
/** The distance for a drained lane that stays with its worker. */
const REPORT_WHEN_IDLE = 1_000n

export interface LaneReaderOptions {
  /** The most intents of one read. */
  readonly size: number
  /** The workspace's `maxAgeSeconds`. Undefined: no limit. */
  readonly maxAgeSeconds: number | undefined
  /** Decrypts the payloads of a page. */
  readonly open: (rows: QueuedIntent[]) => Promise<QueuedIntent[]>
}

/**
 * Reads a lane in order. It reads the next rows while the previous ones are being sent.
 *
 * Each read begins at a watermark and so skips settled rows. Otherwise it would scan their dead versions, which stay while
 * any snapshot is older than the deletion. The watermark begins where the last turn ended. It passes a transaction that may
 * still commit only if it names that transaction (`WriteHorizon`). So a row that commits late takes its place in the order.
 */
export class LaneReader {
  readonly #db: Database
  readonly #fence: Fence
  readonly #size: number
  readonly #maxAgeSeconds: number | undefined
  readonly #open: LaneReaderOptions['open']
  readonly #horizon: WriteHorizon
  readonly #held: HeldKeys
  /** The rows that were read and are not settled yet, in order. */
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
    { size, maxAgeSeconds, open }: LaneReaderOptions,
    horizon: WriteHorizon,
    held: HeldKeys,
  ) {
    this.#db = db
    this.#fence = claimed
    this.#size = size
    this.#maxAgeSeconds = maxAgeSeconds
    this.#open = open
    this.#horizon = horizon
    this.#held = held
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

  /** Writes the watermark of a drained lane, so that polls need not walk through its settled rows. */
  async flushWatermark(): Promise<void> {
    if (this.#watermark.provisionalWatermark - this.#reportedTo >= REPORT_WHEN_IDLE) await this.#report()
  }

  /** The next rows in order. None if the lane is empty, or all rows that were found in it are settled. */
  async peek(): Promise<readonly QueuedIntent[]> {
    if (this.#held.any) await this.#setAside()
    if (this.#rows.length > 0 || this.#readAll) return this.#rows
    await this.#read()
    if (this.#rows.length === 0 && this.#isMarkedUnread) await this.#reread()
    this.#isMarkedUnread = false
    return this.#rows
  }

  /**
   * Reads the lane from its beginning. A notification or a poll found work in the lane, but the reader finds none above its
   * watermark. Usually this turn has settled that work already. But a poll begins at the watermark in the database, and may
   * find rows below the reader's: an operator has put rows back, or the server has lost commits.
   */
  async #reread(): Promise<void> {
    if (!this.#rereadCycle.isDue) return
    const began = performance.now()
    this.#watermark = ZERO_WATERMARK
    this.#held.forget()
    await this.#read()
    this.#rereadCycle.completed(began)
  }

  /** Makes the next `peek` read the lane, because it may hold more than the last read found. */
  markUnread(): void {
    this.#readAll = false
    this.#isMarkedUnread = true
    this.#held.expectNews()
  }

  /** Skips these keys, as `skipKeys` does, and lets the next read find rows that came meanwhile. */
  refresh(keys: ReadonlySet<string>): void {
    this.skipKeys(keys)
    this.#readAll = false
  }

  /** Reads on although rows are left: they are of a key of which only one intent is sent at a time. */
  async readOn(): Promise<void> {
    this.#readAll = false
    await this.readAhead(0)
  }

  /** The rows that were read and are not settled yet, in order. */
  get rows(): readonly QueuedIntent[] {
    return this.#held.any ? this.#rows.filter((row) => !this.#held.has(row)) : this.#rows
  }

  /** Reads on while the first `sending` rows are sent, unless the last read left no row behind. */
  async readAhead(sending: number): Promise<void> {
    if (this.#readAll) return
    const waiting = this.#rows.slice(sending)
    const bytes = waiting.reduce((sum, { size }) => sum + size, 0)
    if (waiting.length < this.#size && bytes < READ_BYTES) await this.#read(sending)
  }

  /**
   * Leaves the rows of these keys in the queue, unread. So however many there are, a read has room for other rows. While keys
   * are skipped, the watermark does not rise, and stays below their rows. Keys that were skipped before and are not among
   * `keys` are read again.
   */
  skipKeys(keys: ReadonlySet<string>): void {
    if ([...this.#skippedKeys].some((key) => !keys.has(key))) {
      // Rows of the keys that are read again may be below rows that were read since.
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

  /** Moves rows of keys that are held since they were read out of the lane. None of them is being sent. */
  async #setAside(): Promise<void> {
    const rows = await this.#held.setAside(this.#rows)
    if (rows.length === this.#rows.length) return
    this.#rows = [...rows]
    this.#raiseWatermark()
  }

  /**
   * Held intents were put back into the lane, the first of them at `seq`. Forgets the rows that were read beyond those that are
   * being sent: rows of the same keys would be sent before the ones that were put back.
   */
  #rewind(seq: bigint, sending: number): void {
    const to = seq - 1n
    this.#rows = this.#rows.slice(0, sending)
    const { watermark, provisionalWatermark, provisionalXids } = this.#watermark
    this.#watermark = {
      watermark: min(to, watermark),
      provisionalWatermark: min(to, provisionalWatermark),
      provisionalXids,
    }
    this.#readWatermark = this.#watermark
    this.#reportedTo = min(to, this.#reportedTo)
  }

  /** Reads on until there is a row to send, or the lane has no more. */
  async #read(sending = 0): Promise<void> {
    const [released] = await Promise.all([
      this.#held.sync(this.#rows.length - sending),
      this.#advanceHorizon(),
    ])
    if (released !== undefined) this.#rewind(released, sending)
    while ((await this.#readPage(sending)) === 'all held');
  }

  async #readPage(sending: number): Promise<'all held' | 'read'> {
    // The horizon's values from before the read hold for every read that begins later.
    const { confirmed, provisional } = this.#horizon.onServer(this.#fence.server)
    const { server, lastSeq } = this.#horizon.lastReading
    if (this.#watermark.provisionalWatermark - this.#reportedTo >= REPORT_EVERY) await this.#report()
    this.#readAt = performance.now()
    const {
      rows: read,
      complete,
      fellBack,
    } = await readLane(this.#db, this.#fence, {
      from: this.#watermark,
      except: this.#rows.map((row) => row.seq),
      exceptKeys: [...this.#skippedKeys],
      limit: this.#size,
      bytes: READ_BYTES,
      maxAgeSeconds: this.#maxAgeSeconds,
      fence: this.#fence,
      lastSeq: server === this.#fence.server ? lastSeq : 0n,
    })
    const rows = await this.#open(read)
    if (fellBack) {
      const { watermark } = this.#watermark
      this.#watermark = { watermark, provisionalWatermark: watermark, provisionalXids: [] }
    }
    this.#readAll = complete && !this.#held.isReleasing
    const last = rows.at(-1)
    const readTo = complete || !last ? undefined : BigInt(last.seq)
    this.#readWatermark = {
      watermark: min(readTo, confirmed),
      provisionalWatermark: min(readTo, provisional.seq),
      // The transactions of the current watermark stay in the list, whatever the horizon says by then: reads ask for them
      // until one has ended.
      provisionalXids: [...new Set([...this.#watermark.provisionalXids, ...provisional.xids])],
    }
    const free = await this.#held.setAside(rows)
    this.#rows = [...this.#rows.slice(0, sending), ...merge(this.#rows.slice(sending), free)]
    if (this.#rows.length === 0) this.#raiseWatermark()
    return rows.length > 0 && free.length === 0 && !complete ? 'all held' : 'read'
  }

  /**
   * Advances the horizon. Waits for it only if it knows nothing of this server, because a watermark that is too low costs
   * less than the wait.
   */
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

/**
 * Merges rows in the order of `seq`: a row that commits late may belong before rows that were read earlier. Rows that are
 * being sent are not among them.
 */
function merge(waiting: readonly QueuedIntent[], found: readonly QueuedIntent[]): QueuedIntent[] {
  const [last, first] = [waiting.at(-1), found[0]]
  const rows = [...waiting, ...found]
  if (!last || !first || BigInt(last.seq) < BigInt(first.seq)) return rows
  return rows.sort((a, b) => (BigInt(a.seq) < BigInt(b.seq) ? -1 : 1))
}
