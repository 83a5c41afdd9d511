/** One operation of a batch that Customer.io refused while it took the others. */
export interface RefusedOperation {
  /** Its place in the batch, from 0. */
  readonly index: number
  readonly reason: string
  readonly field?: string | undefined
  readonly message?: string | undefined
}

/**
 * What is known of a request that failed on its way: `not_applied` where it never left, or where the API itself
 * says that it failed; `unknown` where it may have been taken all the same. Only the second is ambiguous for
 * what must not be sent twice.
 */
export type Outcome = 'not_applied' | 'unknown'

/**
 * What a request came to: a closed set, by whose fault it is. Every failure belongs to someone and is charged
 * to them only.
 *
 * - `accepted`: taken, but for the operations listed. Accepted is not applied: Customer.io also answers 200 for
 *   a suppressed id or an unknown `cio_id`. `deliveryId` is a transactional message's.
 * - `rejected`: the request's content (400 and other 4xx): one of its members broke it.
 * - `too_large`: 413.
 * - `credential`: 401, 403: never an intent's fault.
 * - `rate_limited`: 429, with the wait that was asked for.
 * - `unavailable`: the destination's fault or the network's: 5xx, 408, timeout, reset, HTML from a proxy, a
 *   redirect that is not followed, a 200 that is not JSON.
 */
export type Answer =
  | {
      readonly kind: 'accepted'
      readonly refused: readonly RefusedOperation[]
      readonly deliveryId?: string | undefined
    }
  | {
      readonly kind: 'rejected'
      readonly status: number
      readonly field?: string | undefined
      readonly message: string
    }
  | { readonly kind: 'too_large'; readonly status: number; readonly message: string }
  | { readonly kind: 'credential'; readonly status: number; readonly message: string }
  | { readonly kind: 'rate_limited'; readonly retryAfterMs: number | undefined; readonly message: string }
  | {
      readonly kind: 'unavailable'
      readonly status: number | undefined
      readonly outcome: Outcome
      readonly message: string
    }

export type AnswerKind = Answer['kind']
