import type { Database } from '../connection/database.ts'

/** @returns the ids of the actions that a relay carries out and that are not done, the oldest first: at most 100. */
export async function findOpenActions(db: Database): Promise<string[]> {
  const rows = await db.query<{ id: string }>(
    `SELECT action_id AS id FROM ${db.names.q}.action_status
     WHERE state IN ('queued', 'running') AND kind <> 'backfill' ORDER BY requested_at LIMIT 100`,
  )
  return rows.map(({ id }) => id)
}
