import { ExponentialBackoff, handleWhen, retry } from 'cockatiel'
import { FencedError, type Settled, type Settlement, settle } from '../store/settle.ts'
import type { Turn } from './turn.ts'

/**
 * Settles what Customer.io has answered, again after a failure of the database: about six seconds in all, less than
 * the time after which the lane is another relay's. A statement whose commit was not heard of finds nothing left
 * to do. After it the intents stay in the queue, and are sent again with the same ids and bodies.
 */
const again = retry(
  handleWhen((error) => !(error instanceof FencedError)),
  { maxAttempts: 6, backoff: new ExponentialBackoff({ initialDelay: 100, maxDelay: 2_000 }) },
)

export function settleSurely({ db, fence }: Turn, settlement: Settlement): Promise<Settled> {
  return again.execute(() => settle(db, fence, settlement))
}
