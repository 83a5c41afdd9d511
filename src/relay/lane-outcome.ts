/** How a lane's turn ended. */
export type LaneOutcome =
  /** Nothing is left to send. */
  | { readonly kind: 'drained' }
  /**
   * The turn ended before the lane was drained, because of the breaker, a limit, a blocked key, missing credentials or a stop.
   * The lane must not start again in this relay for `waitMs` milliseconds. Default: 0.
   */
  | { readonly kind: 'handed_back'; readonly waitMs?: number }
  /** A request failed, and the breaker of the destination is still closed. The lane waits with pg-boss' backoff. */
  | { readonly kind: 'failed'; readonly message: string }
  /** Another relay has claimed the lane, or the database server has changed. */
  | { readonly kind: 'fenced' }

/** The turn goes on: the lane may have more to send. */
export const GO_ON = { kind: 'go_on' } as const

/** What follows a step of a turn: the next step, or the end of the turn. */
export type NextStep = typeof GO_ON | LaneOutcome
