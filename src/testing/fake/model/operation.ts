/** The API that a request's path belongs to. `track` for an unknown path. */
export type FakeApi = 'track' | 'app' | 'pipelines'

/**
 * One operation of the Track API in v2 form. The fake translates a v1 request to this form before it checks, matches and
 * records it, so a test does not depend on the version that the caller used:
 *
 * - `PUT /customers/{id}` → `{type:'person', action:'identify', identifiers, attributes, timestamp?, cio_relationships?}`
 *   (`_timestamp` → `timestamp`; `cio_relationships` keeps the v1 form `{action, relationships}`)
 * - `POST /customers/{id}/events` → `{type:'person', action:'event'|'page'|'screen', identifiers, name, id?, timestamp?,
 *   attributes?}` (`data` → `attributes`); `POST /events` the same with `identifiers: { anonymous_id }`
 * - `PUT /customers/{id}/devices` → `action:'add_device'` (`device.id` → `device.token`)
 * - `POST /push/events` → `{type:'delivery', action:'event', identifiers:{id}, name, attributes:{device_token}, timestamp?}`
 *
 * Operations of the other APIs have the form `{ kind, body }`:
 *
 * - `POST /v1/send/{kind}` → `{kind:'email'|'push'|'sms'|'inbox_message'|'in_app', body}`
 * - `POST /v1/campaigns/{id}/triggers` → `{kind:'broadcast', broadcastId, body}`
 * - a message of the Pipelines API → `{kind:'identify'|'track'|'page'|'screen'|'group'|'alias', body}`
 *
 * A predicate receives the operation as it arrived, before any check, so it may be malformed.
 *
 * @example
 * ```ts
 * import { type FakeOperation, startFakeCustomerIo } from 'customerio-outbox/testing'
 *
 * const isRefund = ({ action, name }: FakeOperation) => action === 'event' && name === 'refund'
 * await using fake = await startFakeCustomerIo()
 * fake.misbehave({ kind: 'refuse', operation: isRefund })
 * ```
 */
export interface FakeOperation {
  readonly type?: string
  readonly action?: string
  readonly identifiers?: Readonly<Record<string, unknown>>
  readonly attributes?: Readonly<Record<string, unknown>>
  readonly name?: string
  /** The event's ULID. */
  readonly id?: string
  /** Unix time in whole seconds. */
  readonly timestamp?: number
  readonly device?: Readonly<Record<string, unknown>>
  readonly primary?: Readonly<Record<string, unknown>>
  readonly secondary?: Readonly<Record<string, unknown>>
  /** Only for the App and the Pipelines API. */
  readonly kind?: string
  /** Only for the App and the Pipelines API: the request's body, or the message, unchanged. */
  readonly body?: Readonly<Record<string, unknown>>
  readonly [field: string]: unknown
}

/** Why an operation was refused: an entry of `errors` in an answer of the v2 API. */
export interface Refusal {
  /** `required`, `invalid` or `too_large`. A `refuse` misbehaviour may give any text. */
  readonly reason: string
  /** The path of the refused field: `identifiers.id`, `attributes.plan`. Empty for the operation as a whole. */
  readonly field: string
  readonly message: string
}

/** One operation that took effect. */
export interface AppliedOperation {
  /** Position among the applied operations since start or `reset()`: 1 for the first, without gaps. */
  readonly ordinal: number
  /** `ordinal` in `requests.recent` of the request that carried the operation. */
  readonly requestOrdinal: number
  /**
   * The identifier that the operation used: `id:u1`, `email:a@b.c` (lower case), `phone:+123`, `cio_id:…` or
   * `anonymous_id:…`. For a merge, the primary's. For other types `object:1/acme`, `object:cio/…` or `delivery:…`.
   */
  readonly personKey: string
  readonly type: 'person' | 'object' | 'delivery'
  /** `identify`, `event`, `page`, `screen`, `add_device`, `delete_device`, `delete`, `suppress`, `unsuppress`, `merge`, … */
  readonly action: string
  /** The event's name without surrounding white space, which Customer.io trims too. */
  readonly name: string | undefined
  /** The event's ULID, in upper case. */
  readonly ulid: string | undefined
  /** The operation's own time in Unix seconds. Undefined if it carried none. */
  readonly timestamp: number | undefined
  /** The whole operation in v2 form. */
  readonly body: FakeOperation
  /** When the request arrived, Unix milliseconds. */
  readonly receivedAt: number
  readonly duplicate: false
}

/** An event that the fake dropped because of a repeated ULID. The answer is the same as for an applied one. */
export interface DuplicateOperation extends Omit<AppliedOperation, 'ordinal' | 'duplicate'> {
  readonly duplicate: true
  /** The `ordinal` of the event that took effect. */
  readonly firstOrdinal: number
  /** Whether the body equals that of the first event. Undefined with `keepOperations: false`. */
  readonly sameBody: boolean | undefined
}

/** An operation that had no effect, as documented, although the answer is the same as for an applied one. */
export interface IgnoredOperation extends Omit<AppliedOperation, 'ordinal' | 'duplicate'> {
  readonly why: IgnoredBecause
}

/**
 * Why an operation had no effect:
 *
 * - `suppressed`: the person's identifier is suppressed
 * - `unknown_cio_id`: no person has that `cio_id`
 * - `update_only`: the operation has `_update: true`, and no such person exists
 * - `merge_primary_missing`, `merge_secondary_missing`: no such person exists
 * - `merge_same_person`: primary and secondary are the same person
 */
export type IgnoredBecause =
  | 'suppressed'
  | 'unknown_cio_id'
  | 'update_only'
  | 'merge_primary_missing'
  | 'merge_secondary_missing'
  | 'merge_same_person'

/** The request that carried an operation, and its time. */
export interface Arrival {
  readonly requestOrdinal: number
  /** Unix milliseconds. */
  readonly receivedAt: number
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export const required = (field: string): Refusal => ({
  reason: 'required',
  field,
  message: 'is required',
})
export const invalid = (field: string, message: string): Refusal => ({ reason: 'invalid', field, message })
export const tooLarge = (field: string, message: string): Refusal => ({ reason: 'too_large', field, message })
