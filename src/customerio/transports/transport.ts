import type { WireText } from '../../intent/wire-text.ts'
import type { Answer } from '../answers/answer.ts'
import type { StoredIntent } from './stored-intent.ts'

/** An intent in its wire format. */
export interface WireItem<Call = unknown> {
  /** Bytes of UTF-8 of the item in the body of the request. May be measured on the first read. */
  readonly bytes: number
  /** An upper bound of `bytes`, without measuring. */
  readonly maxBytes: number
  /** Whether the item may share a request with others. */
  readonly batchable: boolean
  /** Sent alone, after the answers to all earlier intents and before all later ones: merge, destroy, (un)suppress. */
  readonly barrier: boolean
  /** The call that the transport makes; opaque to the relay. */
  readonly call: Call
}

/** Whether Customer.io accepts a credential. `unknown`: there was no answer, or a gateway answered. */
export type CredentialCheck = 'accepted' | 'refused' | 'unknown'

/** Limits of one request. */
export interface TransportLimits {
  /** Maximum items of a request. */
  readonly count: number
  /** Maximum bytes of all items of a request, commas between them included. */
  readonly bytes: number
  /** Maximum bytes of one item. */
  readonly itemBytes: number
}

/** Sends intents to one API of Customer.io. It has no queue, no retries and no breaker. */
export interface Transport<Call = unknown> {
  readonly limits: TransportLimits
  /**
   * The wire format of a stored intent. Pure, and the same for every retry, redrive and replay.
   *
   * @throws {InvalidIntentError} for a row that can never be sent.
   */
  prepare(row: StoredIntent): WireItem<Call>
  /**
   * The item of a row with wire text: `outbox.wire_of` wrote the operation. Writes the event's id into the buffer of `text`.
   * Only the Track API has such rows.
   *
   * @throws {InvalidIntentError} for a text that `outbox.wire_of` did not make.
   */
  prepareText?(id: string, text: WireText): WireItem<Call>
  /** Sends one request. Several items are allowed only if all are batchable. Never rejects: every failure is an `Answer`. */
  send(items: readonly WireItem<Call>[]): Promise<Answer>
  /** Checks the credential by a request that sends no intent. Absent if the API has no endpoint for it. */
  checkCredential?(): Promise<CredentialCheck>
  close(): Promise<void>
}
