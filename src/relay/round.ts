import type { QueuedIntent } from '../store/read-lane.ts'
import type { Settlement } from '../store/settle.ts'
import type { BatchEntry, Cut } from './batch.ts'
import { settleAndTell, type Turn } from './turn.ts'

/** One batch on its way, in as many requests as it takes: what of it is settled, and what still waits. */
export class Round {
  readonly turn: Turn
  /** `id` of the batch's first intent: by it is remembered how the batch failed. */
  readonly firstId: string
  /** The lane's rows as they were when it began, in order, the batch's own among them. */
  readonly #rows: readonly QueuedIntent[]
  readonly #settled = new Set<string>()
  /** Set aside when the batch was cut: settled together with its first requests. */
  #aside: Settlement | undefined

  constructor(turn: Turn, rows: readonly QueuedIntent[], { batch, dead, suppressed }: Cut) {
    this.turn = turn
    this.firstId = batch[0]?.row.id ?? ''
    this.#rows = rows
    this.#aside = { delivered: [], dead, suppressed }
  }

  /** Ids. */
  get settled(): ReadonlySet<string> {
    return this.#settled
  }

  /** In order, what may still be sent. */
  get rows(): readonly QueuedIntent[] {
    return this.#rows.filter((row) => this.#isLeft(row))
  }

  left(part: readonly BatchEntry[]): readonly BatchEntry[] {
    return part.filter(({ row }) => this.#isLeft(row))
  }

  async settle(settlement: Settlement): Promise<void> {
    const { dead = [], suppressed = [] } = this.#aside ?? {}
    const all = { ...settlement, dead: [...dead, ...settlement.dead], suppressed }
    await settleAndTell(this.turn, all)
    this.#aside = undefined
    for (const { id } of [...all.delivered, ...all.dead, ...suppressed]) this.#settled.add(id)
  }

  #isLeft({ id, orderingKey }: QueuedIntent): boolean {
    return !this.#settled.has(id) && !this.turn.waiting.has(orderingKey)
  }
}
