import { ExponentialBackoff, handleWhen, retry } from 'cockatiel'
import { missesPartition } from '../../store/fleet/ensure-partitions.ts'
import { chargeAttempt } from '../../store/lanes/charge-attempt.ts'
import type { Fence, RowIdentity } from '../../store/lanes/lane.ts'
import { markSending, unmarkSending } from '../../store/lanes/mark-sending.ts'
import { FencedError, type Settled, type Settlement, settle } from '../../store/lanes/settle.ts'
import type { HeldKeys } from './held-keys.ts'
import type { LaneContext } from './lane-context.ts'

/**
 * Retries a settlement after a failure of the database, for about six seconds in all: less than the time after which another
 * relay takes the lane. If a commit succeeded and its answer was lost, the retry finds nothing left to do.
 *
 * After the last retry the intents stay in the queue. The next turn sends them again with the same ids and bodies. The
 * exception is a message or broadcast with `park`: the turn finds its mark, and makes it a dead letter of reason
 * `ambiguous`.
 */
const settleRetry = retry(
  handleWhen((error) => !(error instanceof FencedError || missesPartition(error))),
  { maxAttempts: 6, backoff: new ExponentialBackoff({ initialDelay: 100, maxDelay: 2_000 }) },
)

type Context = Pick<LaneContext, 'db' | 'partitions' | 'onSettled' | 'destination'>

/**
 * Writes a turn's results to its lane: settlements, marks, charges. The lane's fence refuses them once another relay has the
 * lane.
 */
export class LaneWriter {
  readonly #context: Context
  readonly #fence: Fence
  readonly #held: HeldKeys

  constructor(context: Context, fence: Fence, held: HeldKeys) {
    this.#context = context
    this.#fence = fence
    this.#held = held
  }

  /** Resolves when settlements can be written: at once, unless a partition is missing. */
  ready(): Promise<void> {
    return this.#context.partitions.ready()
  }

  /**
   * Settles what Customer.io has answered, and reports it. Keys that a dead letter holds are held from then on.
   *
   * @throws {FencedError} if another relay has the lane, or the server changed. In both cases the rows that the turn has read
   * are not valid.
   */
  async settle(settlement: Settlement): Promise<void> {
    const { delivered, dead, suppressed = [] } = settlement
    if (delivered.length + dead.length + suppressed.length === 0) return
    const { missedCampaign, serverChanged, held } = await this.#settleWithRetry(settlement)
    this.#held.add(held)
    this.#context.onSettled(settlement, missedCampaign)
    if (serverChanged) throw new FencedError(this.#fence)
  }

  /** If a partition for today is missing, makes it first. The settlement waits until that succeeds. */
  async #settleWithRetry(settlement: Settlement): Promise<Settled> {
    const { db, partitions, destination } = this.#context
    const { payloadDays, holding } = destination
    const settings = { payloadDays, rule: holding?.rule }
    for (;;) {
      try {
        return await settleRetry.execute(() => settle(db, this.#fence, settlement, settings))
      } catch (error) {
        if (!missesPartition(error) || !(await partitions.make(payloadDays))) throw error
      }
    }
  }

  /** Charges an attempt to an intent, which waits `delayMs` with the rest of its key. */
  chargeAttempt(row: RowIdentity, delayMs: number): Promise<void> {
    return chargeAttempt(this.#context.db, this.#fence, row, delayMs)
  }

  /** Marks intents that must not be sent twice, before their requests. */
  markSending(rows: readonly RowIdentity[]): Promise<void> {
    return markSending(this.#context.db, this.#fence, rows)
  }

  /** Removes the marks of intents whose requests had no effect. */
  unmarkSending(rows: readonly RowIdentity[]): Promise<void> {
    return unmarkSending(this.#context.db, this.#fence, rows)
  }
}
