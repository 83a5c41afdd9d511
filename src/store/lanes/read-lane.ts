import type { Database } from '../connection/database.ts'
import { serverStart } from '../connection/server-sql.ts'
import { type Fence, isLower, type Lane, type LaneWatermark } from './lane.ts'
import { type ChunkColumns, type QueuedIntent, rowsOf } from './queued-intent.ts'
import { WIRE_FORMAT } from './row-format.ts'
import { FencedError } from './settle.ts'

/** Bytes of payloads that the server joins to one text. */
const CHUNK_BYTES = 24_000

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
 * The server joins neighbouring rows to chunks of about 24,000 bytes, because the relay reads a page for every request, and
 * a row of its own for each intent costs both sides more than the intent's text. A chunk is no larger, because the server
 * would get fresh memory from the system for each.
 *
 * The snapshot of the read itself tells whether a transaction of `provisionalXids` has ended. If none has, none of their
 * rows can be in the snapshot.
 *
 * @throws {FencedError} if `fence` is given and another relay claimed the lane, another server answers, or the sequence
 * ran backwards.
 */
export async function readLane(db: Database, lane: Lane, range: LaneRange): Promise<LanePage> {
  const { watermark, provisionalWatermark, provisionalXids } = range.from
  const chunks = await db.queryArrays<PageRow>(
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
     SELECT start.fell_back, start.fenced, chunk.* FROM start LEFT JOIN LATERAL (
       SELECT string_agg(seq::text, ','), string_agg(id::text, ','), string_agg(size::text, ','),
              string_agg(to_json(ordering_key)::text, ','), string_agg(payload, ','),
              json_agg(special) FILTER (WHERE special IS NOT NULL)
       FROM (
         SELECT *, octet_length(payload) AS size,
                sum(octet_length(payload)) OVER (ORDER BY seq ROWS UNBOUNDED PRECEDING) AS bytes
         FROM (
           SELECT seq, id, payload::text AS payload, ordering_key,
                  CASE WHEN format <> ${WIRE_FORMAT} OR attempts <> 0 OR retry_at IS NOT NULL OR sending_at IS NOT NULL
                         OR on_ambiguous <> 'park' OR expires_at <= start.now OR NOT isfinite(enqueued_at)
                         OR greatest(enqueued_at, send_after) < start.oldest
                    THEN json_build_object('seq', seq::text, 'format', format, 'attempts', attempts,
                           'operation', operation,
                           'enqueuedAt', CASE WHEN isfinite(enqueued_at) THEN date_part('epoch', enqueued_at) END,
                           'retryInMs', CASE WHEN isfinite(retry_at)
                                             THEN date_part('epoch', retry_at - start.now) * 1000 END,
                           'infinite', CASE WHEN NOT isfinite(enqueued_at) THEN 'enqueued_at'
                                            WHEN NOT isfinite(retry_at) THEN 'retry_at' END,
                           'sending', sending_at IS NOT NULL, 'onAmbiguous', on_ambiguous,
                           'expired', CASE WHEN expires_at <= start.now THEN 'expires_at'
                                           WHEN greatest(enqueued_at, send_after) < start.oldest THEN 'age' END)
                  END AS special
           FROM ${db.names.q}.intents
           WHERE destination = $1 AND lane = $2 AND seq > CASE WHEN start.fell_back THEN $3::bigint ELSE $4::bigint END
             AND NOT (seq = ANY ($6::bigint[])) AND NOT (ordering_key = ANY ($7::text[]))
           ORDER BY seq LIMIT $8) AS next) AS sized
       WHERE bytes - size < $9
       GROUP BY (bytes - 1) / ${CHUNK_BYTES}) AS chunk ON true`,
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
  const [first] = chunks
  if (range.fence && first?.[1] !== false) throw new FencedError(range.fence)
  const rows = inOrder(chunks.flatMap(([, , ...columns]) => (isChunk(columns) ? rowsOf(columns) : [])))
  const bytes = rows.reduce((sum, { size }) => sum + size, 0)
  return {
    rows,
    complete: rows.length < range.limit && bytes < range.bytes,
    fellBack: first?.[0] === true,
  }
}

type PageRow = [fellBack: boolean, fenced: boolean, ...(ChunkColumns | [seqs: null, ...unknown[]])]

function isChunk(columns: ChunkColumns | [seqs: null, ...unknown[]]): columns is ChunkColumns {
  return columns[0] !== null
}

/** Sorts the rows unless they are in order. The server gives the chunks in any order. */
function inOrder<Row extends { readonly seq: string }>(rows: Row[]): Row[] {
  const areInOrder = rows.every(({ seq }, n) => n === 0 || isLower(rows[n - 1]?.seq ?? '', seq))
  return areInOrder ? rows : rows.sort((a, b) => (isLower(a.seq, b.seq) ? -1 : 1))
}
