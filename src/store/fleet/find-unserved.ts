import type { Database } from '../connection/database.ts'

/** So many are found at most. */
const FOUND_AT_MOST = 20

/**
 * The first destinations, by name, that have intents and are not `served`. A skip scan between the served ones. Each step
 * reads one row and compares it with the end of the gap afterwards: as a condition of the scan, the end would be a filter,
 * and the scan of an empty gap would read everything behind it.
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
       SELECT f.destination FROM found f LIMIT ${FOUND_AT_MOST}
     ) u
     LIMIT ${FOUND_AT_MOST}`,
    [served],
  )
  return rows.map(({ destination }) => destination)
}
