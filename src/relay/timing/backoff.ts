/*
 * The formula of a delay that doubles with each failure, and nothing else. Its callers choose the bounds and do the waiting:
 *
 *   breaker/breaker.ts         between canaries; after a 429 without `Retry-After`
 *   send/charge-failure.ts     between the attempts of an intent
 *   dispatch/dispatcher.ts     between polls that fail
 *   wake-up/listener.ts        between tries to listen
 *
 * cockatiel has its own formula for the quick retries of a request and of a settlement, and pg-boss for a lane that failed.
 */
export interface BackoffBounds {
  /** Milliseconds after the first failure. */
  readonly first: number
  /** The longest delay, in milliseconds. Default: no limit. */
  readonly max?: number
}

/**
 * Milliseconds before the next try: doubled with each failure in a row, without jitter.
 *
 * @param failures Failures in a row, at least 1.
 */
export function exponentialMs(failures: number, { first, max = Infinity }: BackoffBounds): number {
  return Math.min(max, first * 2 ** (failures - 1))
}

/** The delay of `exponentialMs`, times a random factor from 0.5 to 1, so that relays do not retry in step. */
export function backoffMs(failures: number, bounds: BackoffBounds): number {
  return exponentialMs(failures, bounds) * (0.5 + Math.random() / 2)
}
