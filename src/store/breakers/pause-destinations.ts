import type { Database } from '../connection/database.ts'

export interface PausedDestination {
  readonly destination: string
  /** Whether this call paused it. False, and nothing changed, if an operator had already paused it. */
  readonly paused: boolean
}

/**
 * Stops delivery to destinations for the whole fleet, until an operator resumes them. Pauses all of them or, if it fails,
 * none.
 *
 * @param destinations `<workspace>/<api>`, each once. They may be unknown.
 * @param reason Why nothing is sent. Recorded with the name of the database user.
 */
export function pauseDestinations(
  db: Database,
  destinations: readonly string[],
  reason: string | undefined,
): Promise<PausedDestination[]> {
  // Sorted, so that two calls at once take their locks in one order.
  return db.query<PausedDestination>(
    `SELECT destination, ${db.names.q}.pause(destination, $2) AS paused
     FROM (SELECT unnest($1::text[]) AS destination ORDER BY 1) d`,
    [destinations, reason ?? null],
  )
}
