import type { Database } from '../connection/database.ts'
import { serverStart } from '../connection/server-sql.ts'
import { type Fence, isLower, type Lane, type LaneWatermark } from './lane.ts'
import { FencedError } from './settle.ts'

/**
 * The highest `intents.format` that this version knows. A row of a later format comes from a newer app, and stays in the
 * queue for a newer relay.
 */
export const ROW_FORMAT = 1

/** A row of the queue as the relay works on it. */
export interface QueuedIntent {
  /** int8 as text. */
  readonly seq: string
  readonly id: string
  readonly operation: string
  /** JSON text. The relay parses it just before the request, so a waiting row takes little memory. */
  readonly payload: string
  /** UTF-8 bytes of the payload's JSON as stored. */
  readonly size: number
  /** Unix seconds of the app's write, with a fraction, by the database's clock. */
  readonly enqueuedAt: number
  readonly orderingKey: string
  readonly onAmbiguous: 'park' | 'resend'
  /** Whether a request for the intent began and has no known outcome. Only for intents that must not be sent twice. */
  readonly sending: boolean
  /** Version of the row's format. Above `ROW_FORMAT` this version cannot interpret the rest of the row. */
  readonly format: number
  /** How often the intent failed alone while others were delivered. */
  readonly attempts: number
  /** Milliseconds until the next attempt, by the database's clock. Null, 0 or less: now. */
  readonly retryInMs: number | null
  /**
   * Why it is too late to send it, by the database's clock. `expires_at`: that time has passed. `age`: it was enqueued,
   * or fell due if it was scheduled, longer ago than the workspace's maximum age.
   */
  readonly expired: 'expires_at' | 'age' | null
  /**
   * The column whose time is infinite, if there is one. The row becomes a dead letter. No statement may subtract an infinite
   * time: before PostgreSQL 17 that is an error.
   */
  readonly infinite?: 'enqueued_at' | 'retry_at' | null | undefined
}

export interface LaneRange {
  /** Where the read begins. */
  readonly from: LaneWatermark
  /** `seq` of rows that the caller already has. */
  readonly except: readonly string[]
  /** Ordering keys to leave out, because their first intent has to wait. */
  readonly exceptKeys: readonly string[]
  readonly limit: number
  /** Seconds. An older intent is `expired`. Default: no limit. */
  readonly maxAgeSeconds?: number | undefined
  /** The reader's fence. The read checks it in its own snapshot. Default: no check. */
  readonly fence?: Fence
  /** A `seq` that the fence's server drew. If the sequence is lower now, `from` is wrong. Default: 0. */
  readonly lastSeq?: bigint
  /** Bytes of payloads after which the read ends, so that memory does not grow with the backlog. */
  readonly bytes: number
}

export interface LanePage {
  readonly rows: QueuedIntent[]
  /** Whether the lane has no row after this page. */
  readonly complete: boolean
  /**
   * Whether one of `provisionalXids` has ended. If so, the read began at `watermark` and not at `provisionalWatermark`, and
   * may have found rows that this transaction committed.
   */
  readonly fellBack: boolean
}

/** With this watermark, a read begins at the start of the lane. */
export const ZERO_WATERMARK: LaneWatermark = { watermark: 0n, provisionalWatermark: 0n, provisionalXids: [] }

/**
 * Reads the next intents of a lane, in order. It begins at a watermark, because dead rows slow a scan down while any
 * snapshot is older than their deletion. Without a watermark, one idle reader slowed the drain of 300,000 rows from
 * 140,000/s to 47,000/s.
 *
 * The work per row is small, because the relay reads a page for every request. Sending five dates per row, and sorting a
 * page that is already in order, took a third of the statement's time. So dates are numbers, and values that nearly all
 * rows share are not sent. Each row is an array, because objects of thirteen columns were a tenth of a draining relay's
 * garbage.
 *
 * The snapshot of the read itself tells whether a transaction of `provisionalXids` has ended. If none has, none of their
 * rows can be in the snapshot.
 *
 * @throws {FencedError} if `fence` is given and another relay claimed the lane, another server answers, or the sequence
 * ran backwards.
 */
export async function readLane(db: Database, lane: Lane, range: LaneRange): Promise<LanePage> {
  const { watermark, provisionalWatermark, provisionalXids } = range.from
  const rows = await db.queryArrays<PageRow>(
    `WITH start AS MATERIALIZED (
       SELECT EXISTS (SELECT FROM unnest($5::bigint[]) AS xid
                      WHERE pg_visible_in_snapshot(xid::text::xid8, pg_current_snapshot())) AS fell_back,
              $10::bigint IS NOT NULL AND NOT EXISTS (
                SELECT FROM ${db.names.q}.lanes
                WHERE destination = $1 AND lane = $2 AND epoch = $10 AND relay_id = $11 AND ${serverStart} = $13
                  AND (SELECT last_value FROM ${db.names.q}.intents_seq_seq) >= $14::bigint
              ) AS fenced,
              clock_timestamp() AS now, clock_timestamp() - make_interval(secs => $12::float8) AS oldest
     )
     SELECT start.fell_back, start.fenced, page.* FROM start LEFT JOIN LATERAL (
       SELECT seq, id, operation, payload, size, enqueued_at, ordering_key, special
       FROM (
         SELECT *, octet_length(payload) AS size,
                sum(octet_length(payload)) OVER (ORDER BY seq ROWS UNBOUNDED PRECEDING) AS bytes
         FROM (
           SELECT seq, id, operation, payload::text AS payload, date_part('epoch', enqueued_at) AS enqueued_at,
                  ordering_key,
                  CASE WHEN format <> ${ROW_FORMAT} OR attempts <> 0 OR retry_at IS NOT NULL OR sending_at IS NOT NULL
                         OR on_ambiguous <> 'park' OR expires_at <= start.now
                         OR greatest(enqueued_at, send_after) < start.oldest
                    THEN json_build_object('format', format, 'attempts', attempts,
                           'retryInMs', CASE WHEN isfinite(retry_at)
                                             THEN date_part('epoch', retry_at - start.now) * 1000 END,
                           'infinite', CASE WHEN NOT isfinite(retry_at) THEN 'retry_at' END,
                           'sending', sending_at IS NOT NULL, 'onAmbiguous', on_ambiguous,
                           'expired', CASE WHEN expires_at <= start.now THEN 'expires_at'
                                           WHEN greatest(enqueued_at, send_after) < start.oldest THEN 'age' END)
                  END AS special
           FROM ${db.names.q}.intents
           WHERE destination = $1 AND lane = $2 AND seq > CASE WHEN start.fell_back THEN $3::bigint ELSE $4::bigint END
             AND NOT (seq = ANY ($6::bigint[])) AND NOT (ordering_key = ANY ($7::text[]))
           ORDER BY seq LIMIT $8) AS next) AS sized
       WHERE bytes - size < $9) AS page ON true`,
    [
      ...[
        lane.destination,
        lane.lane,
        watermark.toString(),
        provisionalWatermark.toString(),
        provisionalXids,
      ],
      ...[range.except, range.exceptKeys, range.limit, range.bytes],
      ...[range.fence?.epoch ?? null, range.fence?.relayId ?? null, range.maxAgeSeconds ?? null],
      ...[range.fence?.server ?? null, (range.lastSeq ?? 0n).toString()],
    ],
  )
  const [first] = rows
  if (range.fence && first?.[1] !== false) throw new FencedError(range.fence)
  const found = rows.filter(isIntent).map(toIntent)
  const bytes = found.reduce((sum, { size }) => sum + size, 0)
  return {
    rows: inOrder(found),
    complete: found.length < range.limit && bytes < range.bytes,
    fellBack: first?.[0] === true,
  }
}

type Special = Pick<
  QueuedIntent,
  'format' | 'attempts' | 'retryInMs' | 'sending' | 'onAmbiguous' | 'expired' | 'infinite'
>

/** The values of a row without `special`, which is nearly every row. */
const ORDINARY: Special = {
  format: ROW_FORMAT,
  attempts: 0,
  retryInMs: null,
  sending: false,
  onAmbiguous: 'park',
  expired: null,
  infinite: null,
}

type Columns = [
  seq: string,
  id: string,
  operation: string,
  payload: string,
  size: number,
  enqueuedAt: number,
  orderingKey: string,
  special: Special | null,
]
type PageRow = [fellBack: boolean, fenced: boolean, ...(Columns | [seq: null, ...unknown[]])]
type IntentRow = [fellBack: boolean, fenced: boolean, ...Columns]

function isIntent(row: PageRow): row is IntentRow {
  return row[2] !== null
}

function toIntent([
  ,
  ,
  seq,
  id,
  operation,
  payload,
  size,
  enqueuedAt,
  orderingKey,
  special,
]: IntentRow): QueuedIntent {
  const { format, attempts, retryInMs, sending, onAmbiguous, expired, infinite } = special ?? ORDINARY
  return {
    seq,
    id,
    operation,
    payload,
    size,
    enqueuedAt,
    orderingKey,
    format,
    attempts,
    retryInMs,
    sending,
    onAmbiguous,
    expired,
    infinite: Number.isFinite(enqueuedAt) ? infinite : 'enqueued_at',
  }
}

/** Sorts the rows unless they are in order. The index gives them in order, but the planner may choose another plan. */
function inOrder<Row extends { readonly seq: string }>(rows: Row[]): Row[] {
  const areInOrder = rows.every(({ seq }, n) => n === 0 || isLower(rows[n - 1]?.seq ?? '', seq))
  return areInOrder ? rows : rows.sort((a, b) => (isLower(a.seq, b.seq) ? -1 : 1))
}
