/** A lane of one destination, such as `{ destination: 'default/track', lane: 7 }`. */
export interface Lane {
  readonly destination: string
  readonly lane: number
}

/** The right to settle a lane's intents: worth something only while nobody has taken the lane since. */
export interface Fence extends Lane {
  readonly relayId: string
  /** int8 as text: raised by one with every taking. */
  readonly epoch: string
}

/**
 * Where a look at a lane may begin. It only speeds the search, and decides of nothing: each of these is known of the
 * queue, and not of whoever worked it.
 */
export interface LaneBound {
  /** Every `seq` up to here was settled, and nothing can appear below any more. */
  readonly settledTo: bigint
  /** The same as long as none of the transactions `passedUnless` (xid8) is over; at least `settledTo`. */
  readonly passedTo: bigint
  readonly passedUnless: readonly string[]
}

/** One key for a lane: pg-boss' singleton key, and a key of maps. */
export function laneKey({ destination, lane }: Lane): string {
  return `${destination}#${lane}`
}

/** Lanes 16 to 31 carry intents of priority `bulk`. */
export function isBulk({ lane }: Lane): boolean {
  return lane >= 16
}
