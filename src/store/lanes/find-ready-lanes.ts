import type { Database } from '../connection/database.ts'
import { type Lane, serverStart } from './lane.ts'
import { type BreakerRow, breakerRows } from '../breakers/read-breakers.ts'
import type { SequenceReading } from './read-horizon.ts'

export interface FindReadyLanesOptions {
  /** The destinations that the relay serves: no others are read, however many have intents. */
  readonly served: readonly string[]
  /** Lanes that are worked already: they are not looked at. */
  readonly except: readonly Lane[]
  /**
   * Destinations whose breakers are read, and with them what changes as seldom: the first delayed intent, and how far numbers
   * were drawn.
   */
  readonly breakersOf?: readonly string[] | undefined
}

export interface ReadyLanes {
  /** Lanes that hold intents which may be sent now. */
  readonly lanes: Lane[]
  /** With `breakersOf`: the database is a copy of the one that the outbox belongs to. */
  readonly isCopy?: boolean
  /** With `breakersOf`. */
  readonly breakers?: BreakerRow[]
  /** With `breakersOf`: milliseconds until the first delayed intent falls due, at most 0 where one is; null without any. */
  readonly dueInMs?: number | null
  /** With `breakersOf`. */
  readonly sequence?: SequenceReading
}

/**
 * All that the dispatcher wants to know, in one statement. Its cost is an index descent for each lane of each served
 * destination, whatever the backlog, the other destinations, and the dead rows that an old snapshot keeps. A
 * destination that was never worked costs one descent while it has no intents.
 *
 * Epochs are subtracted and not times: before PostgreSQL 17, `timestamptz 'infinity' - now()` is an error, and one such
 * row would fail every look of every relay.
 */
export async function findReadyLanes(
  db: Database,
  { served, except, breakersOf }: FindReadyLanesOptions,
): Promise<ReadyLanes> {
  const [row] = await db.query<Row>(readyLanesStatement(db.names.q, breakersOf !== undefined), [
    served,
    except.map(({ destination, lane }) => `${destination}#${lane}`),
    ...(breakersOf ? [breakersOf] : []),
  ])
  if (!row) return { lanes: [] }
  const { server, lastSeq, ...found } = row
  if (server === undefined || lastSeq === undefined) return found
  return { ...found, sequence: { server, lastSeq: BigInt(lastSeq) } }
}

type Row = Omit<ReadyLanes, 'sequence'> & { readonly server?: string; readonly lastSeq?: string }

/**
 * EXISTS would become a semi-join: for a destination without intents the planner then scans the whole table.
 *
 * With the parameters `served`, `except` as keys of lanes and, for the breakers, `breakersOf`.
 */
export function readyLanesStatement(q: string, withBreakers: boolean): string {
  return `WITH bound AS MATERIALIZED (
       SELECT destination, lane, after FROM ${q}.lane_watermarks WHERE destination = ANY ($1::text[])
     ), known AS (
       SELECT DISTINCT destination FROM bound
       UNION ALL
       SELECT s.destination FROM unnest($1::text[]) AS s(destination)
       WHERE NOT EXISTS (SELECT FROM bound b WHERE b.destination = s.destination)
         AND (SELECT true FROM ${q}.intents i WHERE i.destination = s.destination ORDER BY i.lane, i.seq LIMIT 1)
     ), head AS (
       SELECT k.destination, n.lane
       FROM known k CROSS JOIN generate_series(0, 31) AS n(lane)
         LEFT JOIN bound b ON b.destination = k.destination AND b.lane = n.lane,
         LATERAL (SELECT FROM ${q}.intents i
                  WHERE i.destination = k.destination AND i.lane = n.lane AND i.seq > coalesce(b.after, 0)
                  ORDER BY i.seq LIMIT 1) h
       WHERE NOT (k.destination || '#' || n.lane = ANY ($2::text[]))
     )
     SELECT ${
       withBreakers
         ? `(SELECT coalesce(json_agg(b), '[]') FROM (${breakerRows(q, '$3')}) b) AS breakers,
       (SELECT (date_part('epoch', min(d.send_after)) - date_part('epoch', clock_timestamp())) * 1000
        FROM unnest($1::text[]) AS s(destination),
          LATERAL (SELECT i.send_after FROM ${q}.intents i
                   WHERE i.destination = s.destination AND i.lane = -1 ORDER BY i.send_after LIMIT 1) d) AS "dueInMs",
        ${serverStart} AS server, (SELECT last_value FROM ${q}.intents_seq_seq) AS "lastSeq",
        (SELECT is_copy FROM ${q}.check_origin()) AS "isCopy",`
         : ''
     }
       (SELECT coalesce(json_agg(head), '[]') FROM head) AS lanes`
}
