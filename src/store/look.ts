import type { Database } from './database.ts'
import type { Lane } from './lane.ts'
import { type BreakerRow, breakerRows } from './read-breakers.ts'

export interface LookOptions {
  /** Lanes that are worked already: they are not looked at. */
  readonly except: readonly Lane[]
  /** Whether to read, too, what changes less often than lanes get work: breakers, and the first delayed intent. */
  readonly all: boolean
}

export interface Look {
  /** Lanes that hold intents which may be sent now. */
  readonly lanes: Lane[]
  /** With `all`. */
  readonly breakers?: BreakerRow[]
  /** With `all`: milliseconds until the first delayed intent falls due, at most 0 where one is; null without any. */
  readonly dueInMs?: number | null
}

/**
 * All that the dispatcher wants to know, in one statement. Lanes are found by the view `lane_heads`, an index
 * descent each, whatever the backlog and however many dead rows an old snapshot keeps.
 *
 * Epochs are subtracted and not times: before PostgreSQL 17, `timestamptz 'infinity' - now()` is an error, and one such
 * row would fail every look of every relay.
 */
export async function look(db: Database, { except, all }: LookOptions): Promise<Look> {
  const q = db.names.q
  const [row] = await db.query<{ lanes: Lane[]; breakers?: BreakerRow[]; dueInMs?: number | null }>(
    `SELECT ${
      all
        ? `(SELECT coalesce(json_agg(b), '[]') FROM (${breakerRows(q)}) b) AS breakers,
           (SELECT (date_part('epoch', send_after) - date_part('epoch', clock_timestamp())) * 1000
            FROM ${q}.intents WHERE lane = -1 ORDER BY send_after LIMIT 1) AS "dueInMs",`
        : ''
    }
     (SELECT coalesce(json_agg(json_build_object('destination', h.destination, 'lane', h.lane)), '[]')
      FROM ${q}.lane_heads h
      WHERE h.lane >= 0 AND NOT (h.destination || '#' || h.lane = ANY ($1::text[]))) AS lanes`,
    [except.map(({ destination, lane }) => `${destination}#${lane}`)],
  )
  return row ?? { lanes: [] }
}
