import type { Database } from '../connection/database.ts'

/** Whether a relay has ever worked on the destination, or an intent waits for it. If not, the name is probably mistyped. */
export async function destinationExists(db: Database, destination: string): Promise<boolean> {
  const [row] = await db.query<{ known: boolean }>(
    `SELECT EXISTS (SELECT FROM ${db.names.q}.lanes WHERE destination = $1)
         OR EXISTS (SELECT FROM ${db.names.q}.lane_heads WHERE destination = $1) AS known`,
    [destination],
  )
  return row?.known ?? false
}
