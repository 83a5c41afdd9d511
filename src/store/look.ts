import type { Database } from './database.ts'
import { type Lane, serverStart } from './lane.ts'
import { type BreakerRow, breakerRows } from './read-breakers.ts'
import type { SequenceReading } from './read-horizon.ts'

export interface LookOptions {
  /** Lanes that are worked already: they are not looked at. */
  readonly except: readonly Lane[]
  /**
   * Whether to read, too, what changes less often than lanes get work: breakers, the first delayed intent, and how far
   * numbers were drawn.
   */
  readonly all: boolean
}

export interface Look {
  /** Lanes that hold intents which may be sent now. */
  readonly lanes: Lane[]
  /** With `all`: the database is a copy of the one that the outbox belongs to. */
  readonly isCopy?: boolean
  /** With `all`. */
  readonly breakers?: BreakerRow[]
  /** With `all`: milliseconds until the first delayed intent falls due, at most 0 where one is; null without any. */
  readonly dueInMs?: number | null
  /** With `all`. */
  readonly sequence?: SequenceReading
}

/**
 * All that the dispatcher wants to know, in one statement. Lanes are found by the view `lane_heads`, an index
 * descent each, whatever the backlog and however many dead rows an old snapshot keeps.
 */
export async function look(db: Database, { except, all }: LookOptions): Promise<Look> {
  const q = db.names.q
  const [row] = await db.query<Row>(
    `SELECT ${
      all
        ? `(SELECT coalesce(json_agg(b), '[]') FROM (${breakerRows(q)}) b) AS breakers,
           (SELECT extract(epoch FROM send_after - clock_timestamp())::float8 * 1000
            FROM ${q}.intents WHERE lane = -1 ORDER BY send_after LIMIT 1) AS "dueInMs",
           ${serverStart} AS server, (SELECT last_value FROM ${q}.intents_seq_seq) AS "lastSeq",
           (SELECT is_copy FROM ${q}.check_origin()) AS "isCopy",`
        : ''
    }
     (SELECT coalesce(json_agg(json_build_object('destination', h.destination, 'lane', h.lane)), '[]')
      FROM ${q}.lane_heads h
      WHERE h.lane >= 0 AND NOT (h.destination || '#' || h.lane = ANY ($1::text[]))) AS lanes`,
    [except.map(({ destination, lane }) => `${destination}#${lane}`)],
  )
  if (!row) return { lanes: [] }
  const { server, lastSeq, ...found } = row
  if (server === undefined || lastSeq === undefined) return found
  return { ...found, sequence: { server, lastSeq: BigInt(lastSeq) } }
}

type Row = Omit<Look, 'sequence'> & { readonly server?: string; readonly lastSeq?: string }
