import type { Answer } from '../answers/answer.ts'
import type { StoredIntent } from './stored-intent.ts'

/** An intent in the form in which it is sent. */
export interface WireItem<Call = unknown> {
  /** UTF-8 bytes of the item in its request's body. May be measured only when it is asked for. */
  readonly bytes: number
  /** No less than `bytes`, and known at once. */
  readonly maxBytes: number
  /** May share a request with others. */
  readonly batchable: boolean
  /** Travels alone, after all before it and before all after it: merge, destroy, suppress, unsuppress. */
  readonly barrier: boolean
  /** What the transport sends; opaque to the relay. */
  readonly call: Call
}

/** Whether Customer.io takes a credential; `unknown`: neither was said, by no answer or by one of something in between. */
export type CredentialCheck = 'accepted' | 'refused' | 'unknown'

export interface TransportLimits {
  /** Most items a request may hold. */
  readonly count: number
  /** Most bytes that the items of a request may take together, with a comma between each two of them. */
  readonly bytes: number
  /** Most bytes of one item. */
  readonly itemBytes: number
}

/** Sends what one API of Customer.io takes; knows nothing of queues, retries and breakers. */
export interface Transport<Call = unknown> {
  readonly limits: TransportLimits
  /**
   * The wire form of a stored intent: pure, and the same for every retry, redrive and replay.
   *
   * @throws InvalidIntentError for a row that can never be sent.
   */
  prepare(row: StoredIntent): WireItem<Call>
  /**
   * One request; more than one item only where all are batchable. Resolves always, with what the request came
   * to.
   */
  send(items: readonly WireItem<Call>[]): Promise<Answer>
  /** Asks for the account of the credential, with no intent's content. Absent if the API has no such endpoint. */
  checkCredential?(): Promise<CredentialCheck>
  close(): Promise<void>
}
