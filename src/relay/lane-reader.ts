import type { Database } from '../store/database.ts'
import type { Lane } from '../store/lane.ts'
import { type QueuedIntent, readLane } from '../store/read-lane.ts'

/** A look at the whole lane, from its first row, happens at least this often while it is worked. */
const FULL_LOOK_MS = 2_000

/**
 * Reads a lane in order, the next rows while the last ones are on their way. The lower bound that it reads from
 * is a shortcut past dead rows and never decides what is sent: a row that commits late, below the bound, is
 * found by the next full look, and no lane counts as drained without one.
 */
export class LaneReader {
  readonly #db: Database
  readonly #lane: Lane
  readonly #size: number
  #rows: QueuedIntent[] = []
  #after = '0'
  #lastFullLook = 0

  constructor(db: Database, lane: Lane, size: number) {
    this.#db = db
    this.#lane = lane
    this.#size = size
  }

  /** The next rows in order; none when the lane is empty. */
  async peek(): Promise<readonly QueuedIntent[]> {
    if (this.#rows.length === 0) {
      if (performance.now() - this.#lastFullLook > FULL_LOOK_MS) this.#after = '0'
      await this.#read()
      if (this.#rows.length === 0 && this.#after !== '0') {
        this.#after = '0'
        await this.#read()
      }
    }
    return this.#rows
  }

  /** Reads on behind what is known, so that there is more when the first `used` rows are settled. */
  async readAhead(used: number): Promise<void> {
    const due = performance.now() - this.#lastFullLook > FULL_LOOK_MS
    if (this.#rows.length - used < this.#size && !due) await this.#read()
  }

  /** The first `count` rows are settled. */
  used(count: number): void {
    this.#rows.splice(0, count)
  }

  async #read(): Promise<void> {
    if (this.#after === '0') this.#lastFullLook = performance.now()
    const rows = await readLane(this.#db, this.#lane, this.#after, this.#size)
    this.#rows.push(...rows)
    this.#after = rows.at(-1)?.seq ?? this.#after
  }
}
