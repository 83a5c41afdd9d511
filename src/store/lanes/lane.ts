/**
 * The lanes of a destination. Lanes 0 to 15 carry normal intents, lanes 16 to 31 carry intents of priority `bulk`. The
 * numbers are part of the row format: a stored row keeps its lane. `outbox.lane_of` has the same numbers.
 */
export const FIRST_BULK_LANE = 16
export const LAST_LANE = 31
/** The lane of intents whose `send_after` is in the future. A relay promotes them when they fall due. */
export const SCHEDULED_LANE = -1
/** Lanes −2 to −33: the held intents of the lanes 0 to 31. */
export const LAST_HELD_LANE = -33

/** A lane of one destination, such as `{ destination: 'default/track', lane: 7 }`. */
export interface Lane {
  readonly destination: string
  readonly lane: number
}

/** The lane in which held intents of a lane wait. `outbox.held_heads` has the same numbers. */
export function heldLaneOf({ lane }: Lane): number {
  return -2 - lane
}

/** The right to work on a lane's intents. It ends when another worker claims the lane. */
export interface Fence extends Lane {
  readonly relayId: string
  /** int8 as text. Every claim of the lane raises it by one. */
  readonly epoch: string
  /**
   * The server that granted the lane (`serverStart`). After a restart or a failover the fence allows only `settle` and
   * `unmarkSending`.
   */
  readonly server: string
}

/** The key of a lane: the singleton key of pg-boss, the payload of a wake-up, and a key of maps. */
export function laneKey({ destination, lane }: Lane): string {
  return `${destination}#${lane}`
}

/** SQL: the `laneKey` of two columns. */
export function laneKeySql(destination: string, lane: string): string {
  return `${destination} || '#' || ${lane}`
}

export function isBulk({ lane }: Lane): boolean {
  return lane >= FIRST_BULK_LANE
}

/**
 * Which row of the queue is meant. `seq` finds the row, `id` confirms it: a server that lost commits gives the same
 * `seq` to other intents.
 */
export interface RowIdentity {
  /** int8 as text. */
  readonly seq: string
  readonly id: string
}

/** Whether `seq` a is lower than `seq` b, both int8 as text. */
export function isLower(a: string, b: string): boolean {
  return a.length === b.length ? a < b : a.length < b.length
}

/**
 * Where a poll or a read of a lane may begin. It is the same for every relay, and it only makes the search faster.
 */
export interface LaneWatermark {
  /** Every intent up to this `seq` is settled, and no open transaction can still commit one. */
  readonly watermark: bigint
  /** A higher watermark, which holds while every transaction in `provisionalXids` is open. */
  readonly provisionalWatermark: bigint
  /** xid8 as text. */
  readonly provisionalXids: readonly string[]
}
