import type { Database } from '../connection/database.ts'

/**
 * `resumed`: a person had paused it, or most intents were rejected; its backlog goes out. `probing`: its breaker was open or its key refused, and
 * it is tried now. `unchanged`: it was not held back.
 */
export type Resumed = 'resumed' | 'probing' | 'unchanged'

/** The way back, whatever held the destination. A rate limit's wait (429) stays. */
export async function resumeDestination(db: Database, destination: string): Promise<Resumed> {
  const [row] = await db.query<{ resumed: Resumed }>(`SELECT ${db.names.q}.resume($1) AS resumed`, [
    destination,
  ])
  return row?.resumed ?? 'unchanged'
}
