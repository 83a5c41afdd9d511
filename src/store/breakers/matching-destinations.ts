import type { Database } from '../connection/database.ts'

/**
 * The known destinations that match a pattern. Sorted. Empty if there is none.
 *
 * @param pattern A destination in which `*` stands for any characters, `/` included.
 */
export async function matchingDestinations(db: Database, pattern: string): Promise<string[]> {
  const rows = await db.query<{ destination: string }>(
    `SELECT destination FROM ${db.names.q}.matching_destinations($1) AS m(destination)`,
    [pattern],
  )
  return rows.map(({ destination }) => destination)
}
