import type { Database } from './database.ts'

/** So many are found at most. */
const FOUND_AT_MOST = 20

/**
 * The first destinations, by name, that have intents and are not `served`. A skip scan between the served ones: it
 * reads none of their rows, and ends with the last name that it returns.
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
         (SELECT i.destination FROM ${q}.intents i
          WHERE i.destination > g.lower AND (g.upper IS NULL OR i.destination < g.upper)
          ORDER BY i.destination LIMIT 1)
         UNION ALL
         SELECT n.destination FROM found f,
           LATERAL (SELECT i.destination FROM ${q}.intents i
                    WHERE i.destination > f.destination AND (g.upper IS NULL OR i.destination < g.upper)
                    ORDER BY i.destination LIMIT 1) n
       )
       SELECT f.destination FROM found f LIMIT ${FOUND_AT_MOST}
     ) u
     LIMIT ${FOUND_AT_MOST}`,
    [served],
  )
  return rows.map(({ destination }) => destination)
}
