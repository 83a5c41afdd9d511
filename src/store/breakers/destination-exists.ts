import type { Database } from '../connection/database.ts'

/** Whether a relay has ever worked the destination, or an intent waits for it. Another name is probably a typing error. */
export async function destinationExists(db: Database, destination: string): Promise<boolean> {
  const [row] = await db.query<{ known: boolean }>(
    `SELECT EXISTS (SELECT FROM ${db.names.q}.lanes WHERE destination = $1)
         OR EXISTS (SELECT FROM ${db.names.q}.lane_heads WHERE destination = $1) AS known`,
    [destination],
  )
  return row?.known ?? false
}
