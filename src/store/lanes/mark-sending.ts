import type { Database } from '../connection/database.ts'
import { durably } from '../connection/server-sql.ts'
import { fenceCte, fenceValues } from './fence.ts'
import type { Fence, RowIdentity } from './lane.ts'
import { FencedError } from './settle.ts'

/**
 * Marks intents that must not be sent twice, before their request. The mark is committed and on disk when the promise
 * resolves. A relay that finds it later knows that a request may have been sent.
 *
 * @throws {FencedError} if the lane has a newer epoch, the server changed, or one of the rows is gone. Then nothing is
 * marked, and the caller must not send.
 */
export async function markSending(db: Database, fence: Fence, rows: readonly RowIdentity[]): Promise<void> {
  const marked = await setSendingAt(db, fence, rows, 'clock_timestamp()', [fence.server])
  if (marked !== rows.length) throw new FencedError(fence)
}

/** Removes the mark of a request that had no effect. Does not check the server, because any server may remove a mark. */
export async function unmarkSending(db: Database, fence: Fence, rows: readonly RowIdentity[]): Promise<void> {
  await setSendingAt(db, fence, rows, 'NULL', [])
}

async function setSendingAt(
  db: Database,
  fence: Fence,
  rows: readonly RowIdentity[],
  value: 'clock_timestamp()' | 'NULL',
  server: readonly [string] | readonly [],
): Promise<number> {
  const { q } = db.names
  const those = `destination = $1 AND lane = $2 AND seq = ANY ($5::bigint[]) AND id = ANY ($6::uuid[])`
  const [marked] = await db.query<{ count: number }>(
    `WITH ${fenceCte(q, server.length > 0 ? '$7' : undefined)}, marked AS (
       UPDATE ${q}.intents SET sending_at = ${value}
       WHERE ${those} AND EXISTS (SELECT 1 FROM fence)
         AND cardinality($5::bigint[]) = (SELECT count(*) FROM ${q}.intents WHERE ${those})
       RETURNING 1
     )
     SELECT count(*)::int AS count, ${durably} AS durable FROM marked`,
    [...fenceValues(fence), rows.map(({ seq }) => seq), rows.map(({ id }) => id), ...server],
  )
  return marked?.count ?? 0
}
