/** One operation that Customer.io refused, while it accepted the other operations of the batch. */
export interface RefusedOperation {
  /** Index in the batch, from 0. Always within the batch. */
  readonly index: number
  /** Text of Customer.io. It may quote the payload, so it belongs in the dead letter only. */
  readonly reason: string
  /** The refused field: the documented beginning of its path, without any name that the app chose. */
  readonly field?: string | undefined
  /** Text of Customer.io. It may quote the payload, so it belongs in the dead letter only. */
  readonly message?: string | undefined
}

/**
 * Whether Customer.io may have applied a failed request. `not_applied`: the request never left, the server redirected it,
 * or the status says that it was not processed (408, 413, 503). `unknown`: Customer.io may have applied the request. Only
 * `unknown` is ambiguous for an intent that must not be sent twice.
 */
export type Outcome = 'not_applied' | 'unknown'

/**
 * The result of a request. The kind names the cause that the answer itself shows. The true cause may be another: a gateway
 * may answer 403 or 5xx to the content of one intent. `src/relay/send/attribute.ts` decides whether a failure belongs to
 * the destination or to an intent.
 *
 * - `accepted`: Customer.io accepted all operations but those listed. Accepted does not mean applied: Customer.io also
 *   answers 200 for a suppressed id or an unknown `cio_id`. `deliveryId` is the id of a transactional message.
 * - `rejected`: Customer.io refuses the content of the request in its own format (400, 422, and 404 of the App API). Or it
 *   answers a batch with 2xx and errors that name no member, so any member may be the cause.
 * - `too_large`: 413. To a batch in any format, because the status is about the size of this request. To a single item
 *   only in the format of Customer.io.
 * - `credential`: 401 or 403 in any format.
 * - `rate_limited`: 429, with the requested wait in milliseconds.
 * - `unavailable`: the destination or the network failed. 5xx, 408, a timeout, a reset, an answer that is not in the
 *   format of Customer.io, a redirect that is not followed, an answer over 1 MB.
 *
 * `message` of `rejected` is text of Customer.io, which may quote the payload: it belongs in the dead letter only. Every
 * other `message` is made from the status, the media type, the length, and the code of an error. It quotes neither the
 * answer nor the request, and may go to logs, events, and tables.
 */
export type Answer =
  | {
      readonly kind: 'accepted'
      readonly status: number
      readonly refused: readonly RefusedOperation[]
      readonly deliveryId?: string | undefined
    }
  | {
      readonly kind: 'rejected'
      readonly status: number
      /** The refused field: the documented beginning of its path, without any name that the app chose. */
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
