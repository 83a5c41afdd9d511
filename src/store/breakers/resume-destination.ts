import type { Database } from '../connection/database.ts'

/**
 * What `resume` did:
 *
 * - `resumed`: the destination was paused by an operator, or stopped because most intents were rejected. Relays send its
 *   backlog.
 * - `probing`: its breaker was open, or its key was refused. A relay probes it now.
 * - `unchanged`: delivery was not stopped.
 */
export type Resumed = 'resumed' | 'probing' | 'unchanged'

/** Ends whatever stops delivery to a destination. The wait of a rate limit (429) stays. */
export async function resumeDestination(db: Database, destination: string): Promise<Resumed> {
  const [row] = await db.query<{ resumed: Resumed }>(`SELECT ${db.names.q}.resume($1) AS resumed`, [
    destination,
  ])
  return row?.resumed ?? 'unchanged'
}
