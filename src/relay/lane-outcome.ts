/** How a lane's turn ended. */
export type LaneOutcome =
  /** Nothing more to send. */
  | { readonly kind: 'drained' }
  /** The breaker, a limit or a stop ended the turn: the dispatcher starts the lane again when it may. */
  | { readonly kind: 'handed_back'; readonly waitMs?: number }
  /** The destination failed and its breaker is still closed: the lane waits with pg-boss' backoff. */
  | { readonly kind: 'failed'; readonly message: string }
  /** Another relay has taken the lane. */
  | { readonly kind: 'fenced' }
