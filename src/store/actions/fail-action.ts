import type { Database } from '../connection/database.ts'

/** Records the error of a chunk. With `giveUp` the action ends as `failed`. Otherwise its next chunk is the same one. */
export async function failAction(
  db: Database,
  actionId: string,
  error: string,
  giveUp: boolean,
): Promise<void> {
  await db.query(`SELECT ${db.names.q}.fail_action($1, $2, $3)`, [actionId, error, giveUp])
}
