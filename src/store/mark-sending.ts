import type { Database } from './database.ts'
import type { Fence } from './lane.ts'
import { FencedError } from './settle.ts'

/**
 * Writes down, before the request, that intents are being sent which must not be sent twice. Commits before it
 * resolves: whoever finds the mark later knows that a request may have gone out.
 *
 * @throws {FencedError} where the lane has a newer epoch, or one of the rows has gone: nothing is marked, and
 * nothing may be sent.
 */
export async function markSending(db: Database, fence: Fence, seqs: readonly string[]): Promise<void> {
  const marked = await setSendingAt(db, fence, seqs, 'clock_timestamp()')
  if (marked !== seqs.length) throw new FencedError(fence)
}

/** Takes the mark away: the request is known to have had no effect. */
export async function unmarkSending(db: Database, fence: Fence, seqs: readonly string[]): Promise<void> {
  await setSendingAt(db, fence, seqs, 'NULL')
}

async function setSendingAt(
  db: Database,
  fence: Fence,
  seqs: readonly string[],
  value: 'clock_timestamp()' | 'NULL',
): Promise<number> {
  const rows = await db.query(
    `WITH fence AS (
       SELECT 1 FROM ${db.names.q}.lanes
       WHERE destination = $1 AND lane = $2 AND epoch = $3 AND relay_id = $4 FOR SHARE
     )
     UPDATE ${db.names.q}.intents SET sending_at = ${value}
     WHERE destination = $1 AND lane = $2 AND seq = ANY ($5::bigint[]) AND EXISTS (SELECT 1 FROM fence)
       AND cardinality($5::bigint[]) = (
         SELECT count(*) FROM ${db.names.q}.intents
         WHERE destination = $1 AND lane = $2 AND seq = ANY ($5::bigint[]))
     RETURNING 1`,
    [fence.destination, fence.lane, fence.epoch, fence.relayId, seqs],
  )
  return rows.length
}
