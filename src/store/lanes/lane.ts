/** A lane of one destination, such as `{ destination: 'default/track', lane: 7 }`. */
export interface Lane {
  readonly destination: string
  readonly lane: number
}

/** The right to work on a lane's intents. It ends when another worker takes the lane. */
export interface Fence extends Lane {
  readonly relayId: string
  /** int8 as text: raised by one with every taking. */
  readonly epoch: string
  /** The server that gave the lane (`serverStart`). After a restart or a failover only `settle` is still allowed. */
  readonly server: string
}

/**
 * Which row of the queue is meant. `seq` finds the row, `id` decides: a server that lost commits gives the same `seq`
 * to other intents.
 */
export interface RowIdentity {
  /** int8 as text. */
  readonly seq: string
  readonly id: string
}

/** Whether one `seq`, int8 as text, is lower than another. */
export function isLower(a: string, b: string): boolean {
  return a.length === b.length ? a < b : a.length < b.length
}

/**
 * SQL: when the server that runs the statement was started, in Unix seconds as text. A failover and a restore need a
 * start, so each of them gives another value; a relay drops what it remembers of the former server.
 */
export const serverStart = 'extract(epoch FROM pg_postmaster_start_time())::text'

/**
 * SQL: commits of the statement's transaction wait for the log on disk, also in a database or a role that has set
 * `synchronous_commit` to `off` or `local`. Must stand in the select list, and lasts until the transaction ends. Stronger
 * settings stay.
 */
export const durably = `CASE WHEN current_setting('synchronous_commit') IN ('off', 'local')
    THEN set_config('synchronous_commit', 'on', true) END`

/** The parameters `$1` to `$5` of `heldLane`. */
export function fenceValues({ destination, lane, epoch, relayId, server }: Fence): readonly unknown[] {
  return [destination, lane, epoch, relayId, server]
}

/** The same for what is as true on another server as on the one that gave the lane. */
export function fenceValuesOfAnyServer(fence: Fence): readonly unknown[] {
  return [...fenceValues(fence).slice(0, 4), null]
}

/** SQL: one row while the fence `$1` to `$5` holds, none otherwise. Locked until the commit. `$5` null: on any server. */
export function heldLane(q: string): string {
  return `SELECT 1 FROM ${q}.lanes
       WHERE destination = $1 AND lane = $2 AND epoch = $3 AND relay_id = $4
         AND ${serverStart} = coalesce($5, ${serverStart}) FOR SHARE`
}

/**
 * Where a look at a lane may begin. It only speeds the search, and decides of nothing: each of these is known of the
 * queue, and not of whoever worked it.
 */
export interface LaneWatermark {
  /** Every `seq` up to here was settled, and nothing can appear below any more. */
  readonly watermark: bigint
  /** The same as long as none of the transactions `passedUnless` (xid8) is over; at least `settledTo`. */
  readonly provisionalWatermark: bigint
  readonly provisionalXids: readonly string[]
}

/** One key for a lane: pg-boss' singleton key, and a key of maps. */
export function laneKey({ destination, lane }: Lane): string {
  return `${destination}#${lane}`
}

/** Lanes 16 to 31 carry intents of priority `bulk`. */
export function isBulk({ lane }: Lane): boolean {
  return lane >= 16
}
