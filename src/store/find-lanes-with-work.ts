import type { Database } from './database.ts'
import type { Lane } from './lane.ts'

/**
 * The lanes that hold intents, by a skip scan: an index descent per lane, whatever the backlog. A row that
 * committed late is found like every other: no cursor decides what is sent.
 */
export async function findLanesWithWork(db: Database): Promise<Lane[]> {
  return db.query<Lane & { destination: string; lane: number }>(
    `WITH RECURSIVE l AS (
       (SELECT destination, lane FROM ${db.names.q}.intents ORDER BY destination, lane LIMIT 1)
       UNION ALL
       SELECT n.destination, n.lane FROM l,
         LATERAL (SELECT i.destination, i.lane FROM ${db.names.q}.intents i
                  WHERE (i.destination, i.lane) > (l.destination, l.lane)
                  ORDER BY i.destination, i.lane LIMIT 1) n
     )
     SELECT destination, lane FROM l WHERE lane >= 0`,
  )
}
