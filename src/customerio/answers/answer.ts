/** One operation of a batch that Customer.io refused while it took the others. */
export interface RefusedOperation {
  /** Its place in the batch, from 0. Always a place that the batch has. */
  readonly index: number
  /** Customer.io's own text, which may quote the payload. For the dead letter only. */
  readonly reason: string
  /** A documented field name, or the documented beginning of its path: never a name that the app chose. */
  readonly field?: string | undefined
  /** Customer.io's own text, which may quote the payload. For the dead letter only. */
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
 * - `rejected`: Customer.io refuses the request's content in its own form (400, 422, and 404 of the App API), or answers
 *   a batch with errors that name no member of it: one of the members broke it.
 * - `too_large`: 413 to a batch, in any form: it is about the size of this request; to a single item, in Customer.io's form.
 * - `credential`: 401, 403, in any form: never an intent's fault.
 * - `rate_limited`: 429, with the wait that was asked for.
 * - `unavailable`: the destination's fault or the network's: 5xx, 408, timeout, reset, an answer that is not in
 *   Customer.io's form, a redirect that is not followed, an answer over 1 MB.
 *
 * `message` of `rejected` is Customer.io's own text, which may quote the payload: it belongs in the dead letter and
 * nowhere else. Every other `message` is written here, from the status, the media type, the length, and the code of an
 * error: it quotes neither the answer nor the request, and may go to logs, events, and tables.
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
      /** A documented field name, or the documented beginning of its path: never a name that the app chose. */
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
