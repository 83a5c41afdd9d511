import type { QueuedIntent } from '../../store/lanes/read-lane.ts'
import type { Settlement } from '../../store/lanes/settle.ts'
import type { Cut } from '../destination/cut-batch.ts'
import type { BatchProgress } from './suspects.ts'
import type { Turn } from './turn.ts'

type Context = Pick<Turn, 'gate' | 'writer' | 'keys'>

/** One batch from its first request to its last: knows which of its intents are settled. */
export class BatchInProgress implements BatchProgress {
  readonly #turn: Context
  /** `id` of the batch's first intent: the failure history knows the batch by it. */
  readonly firstId: string
  /** The lane's rows when the batch began, in order, the batch's own among them. */
  readonly #rows: readonly QueuedIntent[]
  readonly #settled = new Set<string>()
  /** Rows that the cut left out of the batch for good: they are settled together with its first request. */
  #aside: Settlement | undefined

  constructor(turn: Context, rows: readonly QueuedIntent[], { batch, dead, suppressed }: Cut) {
    this.#turn = turn
    this.firstId = batch[0]?.row.id ?? ''
    this.#rows = rows
    this.#aside = { delivered: [], dead, suppressed }
  }

  /** `seq` of each: within a turn, which ends with its server, it is unique. */
  get settled(): ReadonlySet<string> {
    return this.#settled
  }

  /** Settles what an answer has decided. Rejections that the breaker does not admit stay in the queue. */
  async settle(answered: Settlement): Promise<void> {
    const { gate, writer, keys } = this.#turn
    const settlement = await gate.breaker.admit(answered, this.#overtakenBy(answered))
    const { dead = [], suppressed = [] } = this.#aside ?? {}
    const all = { ...settlement, dead: [...dead, ...settlement.dead], suppressed }
    await writer.settle(all)
    this.#aside = undefined
    for (const rows of [all.delivered, all.dead, suppressed])
      for (const { seq } of rows) this.#settled.add(seq)
    keys.suspects.drop(this.#settled)
  }

  /** Settles the rows that the cut left out: they need not wait for the batch's suspects. */
  async settleAside(): Promise<void> {
    await this.settle({ delivered: [], dead: [] })
  }

  /** @returns a function that tells by `id` whether a later intent of the same key was delivered. */
  #overtakenBy({ delivered }: Settlement): (id: string) => boolean {
    let lastOf: Map<string, bigint> | undefined
    return (id) => {
      if (!lastOf) {
        const gone = new Set(delivered.map(({ id }) => id))
        const rows = this.#rows.filter((row) => gone.has(row.id))
        lastOf = new Map(rows.map((row) => [row.orderingKey, BigInt(row.seq)]))
      }
      const row = this.#rows.find((one) => one.id === id)
      return row !== undefined && (lastOf.get(row.orderingKey) ?? 0n) > BigInt(row.seq)
    }
  }
}
