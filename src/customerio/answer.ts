/** One operation of a batch that Customer.io refused while it took the others. */
export interface RefusedOperation {
  /** Its place in the batch, from 0. */
  readonly index: number
  readonly reason: string
  readonly field?: string | undefined
  readonly message?: string | undefined
}

/**
 * What a request came to: a closed set, by whose fault it is. Every failure belongs to someone and is charged
 * to them only.
 *
 * - `accepted`: taken, but for the operations listed. Accepted is not applied: Customer.io also answers 200 for
 *   a suppressed id or an unknown `cio_id`.
 * - `rejected`: the request's content (400 and other 4xx): one of its members broke it.
 * - `too_large`: 413.
 * - `credential`: 401, 403: never an intent's fault.
 * - `rate_limited`: 429, with the wait that was asked for.
 * - `unavailable`: the destination's fault or the network's: 5xx, 408, timeout, reset, HTML from a proxy, a
 *   redirect that is not followed, a 200 that is not JSON. Nothing is known of what was taken.
 */
export type Answer =
  | { readonly kind: 'accepted'; readonly refused: readonly RefusedOperation[] }
  | {
      readonly kind: 'rejected'
      readonly status: number
      readonly field?: string | undefined
      readonly message: string
    }
  | { readonly kind: 'too_large'; readonly status: number; readonly message: string }
  | { readonly kind: 'credential'; readonly status: number; readonly message: string }
  | { readonly kind: 'rate_limited'; readonly retryAfterMs: number | undefined; readonly message: string }
  | { readonly kind: 'unavailable'; readonly status: number | undefined; readonly message: string }

export type AnswerKind = Answer['kind']
