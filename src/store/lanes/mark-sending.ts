import type { Database } from '../connection/database.ts'
import {
  durably,
  type Fence,
  fenceValues,
  fenceValuesOfAnyServer,
  heldLane,
  type RowIdentity,
} from './lane.ts'
import { FencedError } from './settle.ts'

/**
 * Marks intents that must not be sent twice, before their request. The mark is committed and on disk when the promise
 * resolves: a relay that finds it later knows that a request may have been sent.
 *
 * @throws {FencedError} if the lane has a newer epoch, the server changed, or one of the rows is gone. Then nothing is
 * marked, and nothing may be sent.
 */
export async function markSending(db: Database, fence: Fence, rows: readonly RowIdentity[]): Promise<void> {
  const marked = await setSendingAt(db, fenceValues(fence), rows, 'clock_timestamp()')
  if (marked !== rows.length) throw new FencedError(fence)
}

/** Takes the mark away: the request is known to have had no effect. */
export async function unmarkSending(db: Database, fence: Fence, rows: readonly RowIdentity[]): Promise<void> {
  await setSendingAt(db, fenceValuesOfAnyServer(fence), rows, 'NULL')
}

async function setSendingAt(
  db: Database,
  fence: readonly unknown[],
  rows: readonly RowIdentity[],
  value: 'clock_timestamp()' | 'NULL',
): Promise<number> {
  const { q } = db.names
  const those = `destination = $1 AND lane = $2 AND seq = ANY ($6::bigint[]) AND id = ANY ($7::uuid[])`
  const [marked] = await db.query<{ count: number }>(
    `WITH fence AS (
       ${heldLane(q)}
     ), marked AS (
       UPDATE ${q}.intents SET sending_at = ${value}
       WHERE ${those} AND EXISTS (SELECT 1 FROM fence)
         AND cardinality($6::bigint[]) = (SELECT count(*) FROM ${q}.intents WHERE ${those})
       RETURNING 1
     )
     SELECT count(*)::int AS count, ${durably} AS durable FROM marked`,
    [...fence, rows.map(({ seq }) => seq), rows.map(({ id }) => id)],
  )
  return marked?.count ?? 0
}
