import type { Database } from '../connection/database.ts'

/**
 * Stops delivery to a destination for the whole fleet, until an operator resumes it.
 *
 * @param destination `<workspace>/<api>`. It may be unknown.
 * @param reason Why nothing is sent. Recorded with the name of the database user.
 * @returns whether this call paused it. False, and nothing changes, if an operator had already paused it.
 */
export async function pauseDestination(
  db: Database,
  destination: string,
  reason: string | undefined,
): Promise<boolean> {
  const [row] = await db.query<{ paused: boolean }>(`SELECT ${db.names.q}.pause($1, $2) AS paused`, [
    destination,
    reason ?? null,
  ])
  return row?.paused ?? false
}
