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

export interface ResumedDestination {
  readonly destination: string
  readonly result: Resumed
}

/**
 * Ends whatever stops delivery to destinations. The wait of a rate limit (429) stays. Resumes all of them or, if it fails,
 * none.
 *
 * @param destinations `<workspace>/<api>`, each once.
 */
export function resumeDestinations(
  db: Database,
  destinations: readonly string[],
): Promise<ResumedDestination[]> {
  return db.query<ResumedDestination>(
    `SELECT destination, ${db.names.q}.resume(destination) AS result
     FROM (SELECT unnest($1::text[]) AS destination ORDER BY 1) d`,
    [destinations],
  )
}
