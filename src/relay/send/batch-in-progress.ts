import type { QueuedIntent } from '../../store/lanes/read-lane.ts'
import type { Settlement } from '../../store/lanes/settle.ts'
import type { Cut } from '../destination/cut-batch.ts'
import type { BatchProgress } from '../turn/suspects.ts'
import { settleAndReport, type Turn } from '../turn/turn.ts'

/** One batch on its way, in as many requests as it takes: what of it is settled, and what still waits. */
export class BatchInProgress implements BatchProgress {
  readonly #turn: Turn
  /** `id` of the batch's first intent: by it is remembered how the batch failed. */
  readonly firstId: string
  /** The lane's rows as they were when it began, in order, the batch's own among them. */
  readonly #rows: readonly QueuedIntent[]
  readonly #settled = new Set<string>()
  /** Set aside when the batch was cut: settled together with its first requests. */
  #aside: Settlement | undefined

  constructor(turn: Turn, rows: readonly QueuedIntent[], { batch, dead, suppressed }: Cut) {
    this.#turn = turn
    this.firstId = batch[0]?.row.id ?? ''
    this.#rows = rows
    this.#aside = { delivered: [], dead, suppressed }
  }

  /** `seq` of each: within a turn, which ends with its server, it is unique. */
  get settled(): ReadonlySet<string> {
    return this.#settled
  }

  /** Settles what an answer has decided; what the breaker does not admit stays in the queue. */
  async settle(answered: Settlement): Promise<void> {
    const settlement = await this.#turn.breaker.admit(answered, this.#overtakenBy(answered))
    const { dead = [], suppressed = [] } = this.#aside ?? {}
    const all = { ...settlement, dead: [...dead, ...settlement.dead], suppressed }
    await settleAndReport(this.#turn, all)
    this.#aside = undefined
    for (const rows of [all.delivered, all.dead, suppressed])
      for (const { seq } of rows) this.#settled.add(seq)
    this.#turn.suspects.drop(this.#settled)
  }

  /** What was set aside when the batch was cut need not wait for its suspects. */
  async settleAside(): Promise<void> {
    await this.settle({ delivered: [], dead: [] })
  }

  /** Whether a later intent of the same key was delivered. */
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
