import type { Database } from '../connection/database.ts'
import { type BreakerRow, breakerRows } from '../breakers/read-breakers.ts'
import { serverStart } from '../connection/server-sql.ts'
import { LAST_LANE, type Lane, laneKey, laneKeySql, SCHEDULED_LANE } from './lane.ts'
import type { SequenceReading } from './read-horizon.ts'

export interface FindReadyLanesOptions {
  /**
   * The destinations that the relay serves: it has credentials for them. No other destination is read, however many have
   * intents.
   */
  readonly served: readonly string[]
  /** Lanes that are skipped, because a worker has them. */
  readonly except: readonly Lane[]
  /**
   * Destinations whose breakers are read too. The statement then also returns other values that change rarely: the time to
   * the first scheduled intent, the sequence, and whether the database is a copy. Default: none of them.
   */
  readonly breakersOf?: readonly string[] | undefined
}

export interface ReadyLanes {
  /** Lanes with intents that may be sent now, or with held intents that may be put back. */
  readonly lanes: Lane[]
  /** With `breakersOf`: the database is a copy of the one that the outbox belongs to. */
  readonly isCopy?: boolean
  /** With `breakersOf`. */
  readonly breakers?: BreakerRow[]
  /** With `breakersOf`: milliseconds until the first scheduled intent falls due. 0 or less: it is due. Null: there is none. */
  readonly dueInMs?: number | null
  /** With `breakersOf`. */
  readonly sequence?: SequenceReading
}

/**
 * The dispatcher's poll, in one statement. It costs one index descent for each lane of each served destination. The
 * backlog, other destinations, and dead rows that an old snapshot keeps do not raise the cost. A destination that no
 * relay has worked on yet costs one descent while it has no intents.
 *
 * The statement subtracts Unix seconds and not times. Before PostgreSQL 17, `timestamptz 'infinity' - now()` is an error,
 * and one row with an infinite `send_after` would fail every poll of every relay.
 */
export async function findReadyLanes(
  db: Database,
  { served, except, breakersOf }: FindReadyLanesOptions,
): Promise<ReadyLanes> {
  const [row] = await db.query<Row>(readyLanesStatement(db.names.q, breakersOf !== undefined), [
    served,
    except.map(laneKey),
    ...(breakersOf ? [breakersOf] : []),
  ])
  if (!row) return { lanes: [] }
  const { server, lastSeq, ...found } = row
  if (server === undefined || lastSeq === undefined) return found
  return { ...found, sequence: { server, lastSeq: BigInt(lastSeq) } }
}

type Row = Omit<ReadyLanes, 'sequence'> & { readonly server?: string; readonly lastSeq?: string }

/**
 * The statement with the parameters `served`, `except` as keys of lanes and, for the breakers, `breakersOf`.
 *
 * Queries with LIMIT 1 find out whether there are intents. EXISTS would become a semi-join, for which the planner scans the
 * whole table if a destination has no intents.
 */
export function readyLanesStatement(q: string, withBreakers: boolean): string {
  return `WITH lane_watermark AS MATERIALIZED (
       SELECT destination, lane, watermark, release_requests FROM ${q}.lane_watermarks WHERE destination = ANY ($1::text[])
     ), candidate AS (
       SELECT DISTINCT destination FROM lane_watermark
       UNION ALL
       SELECT s.destination FROM unnest($1::text[]) AS s(destination)
       WHERE NOT EXISTS (SELECT FROM lane_watermark w WHERE w.destination = s.destination)
         AND (SELECT true FROM ${q}.intents i WHERE i.destination = s.destination ORDER BY i.lane, i.seq LIMIT 1)
     ), head AS (
       SELECT c.destination, n.lane
       FROM candidate c CROSS JOIN generate_series(0, ${LAST_LANE}) AS n(lane)
         LEFT JOIN lane_watermark w ON w.destination = c.destination AND w.lane = n.lane,
         LATERAL (SELECT FROM (
                    (SELECT true FROM ${q}.intents i
                     WHERE i.destination = c.destination AND i.lane = n.lane AND i.seq > coalesce(w.watermark, 0)
                     ORDER BY i.seq LIMIT 1)
                    UNION ALL SELECT true WHERE w.release_requests > 0) work LIMIT 1) h
       WHERE NOT (${laneKeySql('c.destination', 'n.lane')} = ANY ($2::text[]))
     )
     SELECT ${
       withBreakers
         ? `(SELECT coalesce(json_agg(b), '[]') FROM (${breakerRows(q, '$3')}) b) AS breakers,
       (SELECT (date_part('epoch', min(d.send_after)) - date_part('epoch', clock_timestamp())) * 1000
        FROM unnest($1::text[]) AS s(destination),
          LATERAL (SELECT i.send_after FROM ${q}.intents i
                   WHERE i.destination = s.destination AND i.lane = ${SCHEDULED_LANE} ORDER BY i.send_after LIMIT 1) d) AS "dueInMs",
        ${serverStart} AS server, (SELECT last_value FROM ${q}.intents_seq_seq) AS "lastSeq",
        (SELECT is_copy FROM ${q}.check_origin()) AS "isCopy",`
         : ''
     }
       (SELECT coalesce(json_agg(head), '[]') FROM head) AS lanes`
}
