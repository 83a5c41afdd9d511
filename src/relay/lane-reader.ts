import type { Database } from '../store/database.ts'
import type { Lane } from '../store/lane.ts'
import { type QueuedIntent, readLane } from '../store/read-lane.ts'
import type { Horizon } from './horizon.ts'

/** Bytes of payloads that one read may bring: one full request and some. */
const READ_BYTES = 600_000

/**
 * Reads a lane in order, the next rows while the last ones are on their way.
 *
 * What it has settled is skipped by a lower bound, because dead rows stay in the way of a scan while any snapshot
 * is older. The bound never passes the horizon, so a row that commits late takes its place in the order; and no
 * lane counts as drained without a look from its very beginning.
 */
export class LaneReader {
  readonly #db: Database
  readonly #lane: Lane
  readonly #size: number
  readonly #horizon: Horizon
  /** Read and not yet settled, in order. */
  #rows: QueuedIntent[] = []
  #bound = 0n
  /** Everything up to here was seen by the last read. */
  #seenTo = 0n

  constructor(db: Database, lane: Lane, size: number, horizon: Horizon) {
    this.#db = db
    this.#lane = lane
    this.#size = size
    this.#horizon = horizon
  }

  /** The next rows in order; none when the lane is empty. */
  async peek(): Promise<readonly QueuedIntent[]> {
    if (this.#rows.length === 0) await this.#read()
    if (this.#rows.length === 0 && this.#bound > 0n) {
      this.#bound = 0n
      await this.#read()
    }
    return this.#rows
  }

  /** Reads on while the first `sending` rows are on their way. */
  async readAhead(sending: number): Promise<void> {
    const waiting = this.#rows.slice(sending)
    const bytes = waiting.reduce((sum, { size }) => sum + size, 0)
    if (waiting.length < this.#size && bytes < READ_BYTES) await this.#read(sending)
  }

  /** The first `count` rows are settled. */
  used(count: number): void {
    this.#rows.splice(0, count)
    this.#raiseBound()
  }

  /** These rows are settled, wherever they stood. */
  drop(seqs: readonly string[]): void {
    const gone = new Set(seqs)
    this.#rows = this.#rows.filter(({ seq }) => !gone.has(seq))
    this.#raiseBound()
  }

  #raiseBound(): void {
    const [next] = this.#rows
    const settledTo = next ? BigInt(next.seq) - 1n : this.#seenTo
    if (settledTo > this.#bound) this.#bound = settledTo < this.#seenTo ? settledTo : this.#seenTo
  }

  async #read(sending = 0): Promise<void> {
    await this.#horizon.advance()
    const horizon = this.#horizon.safe
    const known = this.#rows.map((row) => row.seq)
    const { rows: found, complete } = await readLane(this.#db, this.#lane, {
      after: this.#bound.toString(),
      except: known,
      limit: this.#size,
      bytes: READ_BYTES,
    })
    const last = found.at(-1)
    const readTo = complete || !last ? horizon : BigInt(last.seq)
    this.#seenTo = readTo < horizon ? readTo : horizon
    const sent = this.#rows.slice(0, sending)
    this.#rows = [...sent, ...merge(this.#rows.slice(sending), found)]
  }
}

/** A late row may belong before rows that were read earlier, though never before those that are on their way. */
function merge(waiting: readonly QueuedIntent[], found: readonly QueuedIntent[]): QueuedIntent[] {
  const [last, first] = [waiting.at(-1), found[0]]
  const rows = [...waiting, ...found]
  if (!last || !first || BigInt(last.seq) < BigInt(first.seq)) return rows
  return rows.sort((a, b) => (BigInt(a.seq) < BigInt(b.seq) ? -1 : 1))
}
