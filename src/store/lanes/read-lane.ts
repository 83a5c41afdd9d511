import type { Database } from '../connection/database.ts'
import { type Fence, isLower, type Lane, type LaneWatermark, serverStart } from './lane.ts'
import { FencedError } from './settle.ts'

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
  /** JSON text: parsed when its turn comes, so that what waits takes little memory. */
  readonly payload: string
  /** UTF-8 bytes of the payload's JSON as stored. */
  readonly size: number
  /** Unix seconds of the business write, with a fraction, by the database's clock. */
  readonly enqueuedAt: number
  readonly orderingKey: string
  readonly onAmbiguous: 'park' | 'resend'
  /** A request for it began whose end is not known; never for what may be sent twice. */
  readonly sending: boolean
  /** Version of the row's format: above `ROW_FORMAT` nothing else of the row is understood. */
  readonly format: number
  /** How often it failed alone while others passed. */
  readonly attempts: number
  /** Milliseconds until it may be tried again, by the database's clock; null, 0 or less: now. */
  readonly retryInMs: number | null
  /**
   * It is too late for it, by the database's clock: `expires_at` has passed, or it was enqueued (or fell due, where it
   * was for later) longer ago than the workspace lets out.
   */
  readonly expired: 'expires_at' | 'age' | null
  /** The column whose time is infinite: no relay can send such a row, and no statement subtracts its time. */
  readonly infinite?: 'enqueued_at' | 'retry_at' | null | undefined
}

export interface LaneRange {
  /** Where the search begins. */
  readonly from: LaneWatermark
  /** `seq` of rows that the caller has already. */
  readonly except: readonly string[]
  /** Ordering keys that are left out: their first intent has to wait. */
  readonly exceptKeys: readonly string[]
  readonly limit: number
  /** What was enqueued longer ago is `expired`. Default: nothing is. */
  readonly maxAgeSeconds?: number | undefined
  /** The lane is the reader's only while this holds: asked in the same snapshot. */
  readonly fence?: Fence
  /** A number that was drawn on the fence's server. If the sequence is below it now, `bound` is wrong. Default: 0. */
  readonly lastSeq?: bigint
  /** No further row once the payloads read take this many bytes: memory stays flat whatever is waiting. */
  readonly bytes: number
}

export interface LanePage {
  readonly rows: QueuedIntent[]
  /** Nothing was left behind the last row. */
  readonly complete: boolean
  /** One of `passedUnless` was over: the search began at `settledTo`, and may have found what that one has committed. */
  readonly fellBack: boolean
}

/** The whole lane. */
export const ZERO_WATERMARK: LaneWatermark = { watermark: 0n, provisionalWatermark: 0n, provisionalXids: [] }

/**
 * The next intents of a lane in order. Dead rows stay in the way of a scan while any snapshot is older: draining
 * 300,000 rows with one idle reader fell from 140,000/s to 47,000/s without a lower bound.
 *
 * What is done for every row is kept small: a page is read for every request. Dates as numbers, five of them a row, and
 * sorting a page that is in order took a third of the statement. What nearly every row has in common is not sent, and a
 * row is an array: an object of thirteen columns was a tenth of what a draining relay leaves to the garbage collector.
 *
 * Whether a transaction of `passedUnless` is over is asked in the snapshot of the search itself: where none is, none
 * of their rows can be in it.
 *
 * @throws {FencedError} if `fence` was given and the lane was taken since, another server answers, or its
 * numbers ran backwards.
 */
export async function readLane(db: Database, lane: Lane, range: LaneRange): Promise<LanePage> {
  const { watermark, provisionalWatermark, provisionalXids } = range.from
  const rows = await db.queryArrays<PageRow>(
    `WITH start AS MATERIALIZED (
       SELECT EXISTS (SELECT FROM unnest($5::bigint[]) AS xid
                      WHERE pg_visible_in_snapshot(xid::text::xid8, pg_current_snapshot())) AS late,
              $10::bigint IS NOT NULL AND NOT EXISTS (
                SELECT FROM ${db.names.q}.lanes
                WHERE destination = $1 AND lane = $2 AND epoch = $10 AND relay_id = $11 AND ${serverStart} = $13
                  AND (SELECT last_value FROM ${db.names.q}.intents_seq_seq) >= $14::bigint
              ) AS fenced,
              clock_timestamp() AS now, clock_timestamp() - make_interval(secs => $12::float8) AS oldest
     )
     SELECT start.late, start.fenced, page.* FROM start LEFT JOIN LATERAL (
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
           WHERE destination = $1 AND lane = $2 AND seq > CASE WHEN start.late THEN $3::bigint ELSE $4::bigint END
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

/** By far the most: what a row has no `special` for. */
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
type PageRow = [late: boolean, fenced: boolean, ...(Columns | [seq: null, ...unknown[]])]
type IntentRow = [late: boolean, fenced: boolean, ...Columns]

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

/** As the index gives them; that it is the index which is read is the planner's decision, and nobody's promise. */
function inOrder<Row extends { readonly seq: string }>(rows: Row[]): Row[] {
  const areInOrder = rows.every(({ seq }, n) => n === 0 || isLower(rows[n - 1]?.seq ?? '', seq))
  return areInOrder ? rows : rows.sort((a, b) => (isLower(a.seq, b.seq) ? -1 : 1))
}
