import { ExponentialBackoff, handleWhen, retry } from 'cockatiel'
import { missesPartition } from '../../store/fleet/ensure-partitions.ts'
import type { Fence } from '../../store/lanes/lane.ts'
import { FencedError, type Settled, type Settlement, settle } from '../../store/lanes/settle.ts'
import type { LaneContext } from './lane-context.ts'

/**
 * Settles what Customer.io has answered, again after a failure of the database: about six seconds in all, less than
 * the time after which the lane is another relay's. A statement whose commit was not heard of finds nothing left
 * to do. After it the intents stay in the queue, and are sent again with the same ids and bodies.
 *
 * If `outbox.delivered` has no partition for today, it is made first. Until that has succeeded the settlement waits.
 */
const again = retry(
  handleWhen((error) => !(error instanceof FencedError || missesPartition(error))),
  { maxAttempts: 6, backoff: new ExponentialBackoff({ initialDelay: 100, maxDelay: 2_000 }) },
)

export async function settleWithRetry(
  { db, fence, partitions }: Pick<LaneContext, 'db' | 'partitions'> & { readonly fence: Fence },
  settlement: Settlement,
): Promise<Settled> {
  for (;;) {
    try {
      return await again.execute(() => settle(db, fence, settlement))
    } catch (error) {
      if (!missesPartition(error) || !(await partitions.make())) throw error
    }
  }
}
