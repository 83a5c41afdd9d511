import type { Database } from '../connection/database.ts'
import { fenceCte, fenceValues } from './fence.ts'
import { type Fence, heldLaneOf, type RowIdentity } from './lane.ts'
import { FencedError } from './settle.ts'

/**
 * Moves intents that must wait behind a dead letter out of their lane. They keep their `seq`. So polls and reads of the lane
 * never see them, its watermark passes them, and any number of them costs nothing while it waits.
 *
 * @throws {FencedError} if the lane has a newer epoch, or the server changed. Then nothing was moved.
 */
export async function holdIntents(db: Database, fence: Fence, rows: readonly RowIdentity[]): Promise<void> {
  const [row] = await db.query<{ fenced: boolean }>(
    `WITH ${fenceCte(db.names.q, '$5')}, held AS (
       UPDATE ${db.names.q}.intents SET lane = $8
       WHERE destination = $1 AND lane = $2 AND seq = ANY ($6::bigint[]) AND id = ANY ($7::uuid[])
         AND EXISTS (SELECT 1 FROM fence)
     )
     SELECT NOT EXISTS (SELECT 1 FROM fence) AS fenced`,
    [
      ...fenceValues(fence),
      fence.server,
      rows.map(({ seq }) => seq),
      rows.map(({ id }) => id),
      heldLaneOf(fence),
    ],
  )
  if (row?.fenced !== false) throw new FencedError(fence)
}
