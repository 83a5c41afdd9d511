import type { QueuedIntent } from '../../store/lanes/queued-intent.ts'
import type { Settlement } from '../../store/lanes/settle.ts'
import type { Cut } from '../destination/cut-batch.ts'
import type { BatchProgress } from './suspects.ts'
import type { Turn } from './turn.ts'

type Context = Pick<Turn, 'gate' | 'writer' | 'keys'>

/** One batch from its first request to its last. It knows which of its intents are settled. */
export class BatchInProgress implements BatchProgress {
  readonly #turn: Context
  /** `id` of the batch's first intent: the failure history knows the batch by it. */
  readonly firstId: string
  /** The lane's rows when the batch began, in order. They include the rows of the batch. */
  readonly #rows: readonly QueuedIntent[]
  readonly #settled = new Set<string>()
  /** Rows that the cut left out of the batch, because they are never sent. The first settlement of the batch includes them. */
  #aside: Settlement | undefined

  constructor(
    turn: Context,
    rows: readonly QueuedIntent[],
    { batch, dead, suppressed }: Pick<Cut, 'batch' | 'dead' | 'suppressed'>,
  ) {
    this.#turn = turn
    this.firstId = batch[0]?.row.id ?? ''
    this.#rows = rows
    this.#aside = { delivered: [], dead, suppressed }
  }

  /** The `seq` of each settled intent. A `seq` is unique within a turn, because a turn ends if the server changes. */
  get settled(): ReadonlySet<string> {
    return this.#settled
  }

  /** Settles what an answer has decided. Intents whose rejection the breaker does not admit stay in the queue. */
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

  /** Settles the rows that the cut left out, because they need not wait for the batch's suspects. */
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
