import type { Database } from '../connection/database.ts'

/** The most destinations that a call returns. */
const MAX_FOUND = 20

/**
 * Finds the first destinations, by name, that have intents and that this relay does not serve. It is a skip scan of the
 * gaps between the served destinations. Each step reads one row, and compares it with the end of the gap afterwards. If the
 * end were a condition of the scan, Postgres would use it as a filter, and the scan of an empty gap would read all rows
 * behind the gap.
 *
 * @param served Destinations that this relay serves: it has credentials for them.
 */
export async function findUnserved(db: Database, served: readonly string[]): Promise<string[]> {
  const q = db.names.q
  const rows = await db.query<{ destination: string }>(
    `WITH served AS (
       SELECT DISTINCT destination FROM unnest($1::text[]) AS s(destination)
     ), gap AS (
       SELECT '' AS lower, min(destination) AS upper FROM served
       UNION ALL
       SELECT destination, lead(destination) OVER (ORDER BY destination) FROM served
     )
     SELECT u.destination FROM gap g, LATERAL (
       WITH RECURSIVE found AS (
         SELECT n.destination FROM (SELECT i.destination FROM ${q}.intents i WHERE i.destination > g.lower
                                    ORDER BY i.destination LIMIT 1) n
         WHERE g.upper IS NULL OR n.destination < g.upper
         UNION ALL
         SELECT n.destination FROM found f,
           LATERAL (SELECT i.destination FROM ${q}.intents i WHERE i.destination > f.destination
                    ORDER BY i.destination LIMIT 1) n
         WHERE g.upper IS NULL OR n.destination < g.upper
       )
       SELECT f.destination FROM found f LIMIT ${MAX_FOUND}
     ) u
     LIMIT ${MAX_FOUND}`,
    [served],
  )
  return rows.map(({ destination }) => destination)
}
