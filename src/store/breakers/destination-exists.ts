import type { Database } from '../connection/database.ts'

/** Whether anything waits for the destination or was ever worked: a name that nobody uses is probably a slip. */
export async function destinationExists(db: Database, destination: string): Promise<boolean> {
  const [row] = await db.query<{ known: boolean }>(
    `SELECT EXISTS (SELECT FROM ${db.names.q}.lanes WHERE destination = $1)
         OR EXISTS (SELECT FROM ${db.names.q}.lane_heads WHERE destination = $1) AS known`,
    [destination],
  )
  return row?.known ?? false
}
