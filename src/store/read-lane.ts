import type { Database } from './database.ts'
import type { Lane } from './lane.ts'

/**
 * The highest `intents.format` that this version knows. Rows of a later one, which a newer app has written, stay
 * in the queue for a newer relay.
 */
export const ROW_FORMAT = 1

/** A row of the queue as the relay works on it. */
export interface QueuedIntent {
  /** int8 as text. */
  readonly seq: string
  readonly id: string
  readonly operation: string
  readonly payload: unknown
  /** UTF-8 bytes of the payload's JSON as stored. */
  readonly size: number
  /** Unix seconds of the business write, by the database's clock. */
  readonly occurredAtSeconds: number
  readonly orderingKey: string
  /** Seconds since it was enqueued or, where it was for later, since it fell due; by the database's clock. */
  readonly ageSeconds: number
  readonly onAmbiguous: 'park' | 'resend'
  /** When a request for it began whose end is not known; null for everything that may be sent twice. */
  readonly sendingAt: Date | null
  /** Version of the row's format: above `ROW_FORMAT` nothing else of the row is understood. */
  readonly format: number
  /** How often it failed alone while others passed. */
  readonly attempts: number
  /** Milliseconds until it may be tried again, by the database's clock; 0 or less: now. */
  readonly retryInMs: number
  /** `expires_at` has passed, by the database's clock. */
  readonly expired: boolean
}

export interface LaneRange {
  /** Only rows with a greater `seq`; '0' looks at all. A lower bound only speeds the search (see `Horizon`). */
  readonly after: string
  /** `seq` of rows that the caller has already. */
  readonly except: readonly string[]
  readonly limit: number
  /** No further row once the payloads read take this many bytes: memory stays flat whatever is waiting. */
  readonly bytes: number
}

export interface LanePage {
  readonly rows: QueuedIntent[]
  /** Nothing was left behind the last row. */
  readonly complete: boolean
}

/**
 * The next intents of a lane in order. Dead rows stay in the way of a scan while any snapshot is older: draining
 * 300,000 rows with one idle reader fell from 140,000/s to 47,000/s without a lower bound.
 */
export async function readLane(db: Database, lane: Lane, range: LaneRange): Promise<LanePage> {
  const rows = await db.query<Omit<QueuedIntent, 'payload'> & { payload: string; inReach: number }>(
    `SELECT * FROM (
       SELECT *, octet_length(payload) AS size, count(*) OVER ()::int AS "inReach",
              sum(octet_length(payload)) OVER (ORDER BY seq) - octet_length(payload) AS before
       FROM (
         SELECT seq, id, operation, payload::text AS payload,
                floor(extract(epoch FROM enqueued_at))::float8 AS "occurredAtSeconds",
                ordering_key AS "orderingKey", format, attempts,
                coalesce(extract(epoch FROM retry_at - clock_timestamp()), 0)::float8 * 1000 AS "retryInMs",
                on_ambiguous AS "onAmbiguous", sending_at AS "sendingAt",
                extract(epoch FROM clock_timestamp() - greatest(enqueued_at, send_after))::float8 AS "ageSeconds",
                coalesce(expires_at <= clock_timestamp(), false) AS expired
         FROM ${db.names.q}.intents
         WHERE destination = $1 AND lane = $2 AND seq > $3 AND NOT (seq = ANY ($4::bigint[]))
         ORDER BY seq LIMIT $5) AS next) AS page
     WHERE before < $6
     ORDER BY seq`,
    [lane.destination, lane.lane, range.after, range.except, range.limit, range.bytes],
  )
  const complete = rows.length === (rows[0]?.inReach ?? 0) && rows.length < range.limit
  return { rows: rows.map((row) => ({ ...row, payload: JSON.parse(row.payload) })), complete }
}
