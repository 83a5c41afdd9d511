import type { Database } from '../connection/database.ts'

/**
 * Stops delivery to a destination for the whole fleet, until a person resumes it.
 *
 * @param destination `<workspace>/<api>`; it need not be known yet.
 * @param reason For whoever asks later why nothing is sent; kept with the database user's name.
 * @returns whether this call paused it: false where a person had done so already, and nothing changes.
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
