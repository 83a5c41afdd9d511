/** Whose path a request went to; `track` for one that is nobody's. */
export type FakeApi = 'track' | 'app' | 'pipelines'

/**
 * One operation of the Track API, in the form of v2. A v1 request is translated to this form before it is checked,
 * matched and kept, so that a test need not know by which way an operation came:
 *
 * - `PUT /customers/{id}` → `{type:'person', action:'identify', identifiers, attributes, timestamp?, cio_relationships?}`
 *   (`_timestamp` → `timestamp`; `cio_relationships` keeps the v1 form `{action, relationships}`)
 * - `POST /customers/{id}/events` → `{type:'person', action:'event'|'page'|'screen', identifiers, name, id?, timestamp?,
 *   attributes?}` (`data` → `attributes`); `POST /events` the same with `identifiers: { anonymous_id }`
 * - `PUT /customers/{id}/devices` → `action:'add_device'` (`device.id` → `device.token`)
 * - `POST /push/events` → `{type:'delivery', action:'event', identifiers:{id}, name, attributes:{device_token}, timestamp?}`
 *
 * What the other APIs take has a form of its own, `kind` and `body`:
 *
 * - `POST /v1/send/{kind}` → `{kind:'email'|'push'|'sms'|'inbox_message'|'in_app', body}`
 * - `POST /v1/campaigns/{id}/triggers` → `{kind:'broadcast', broadcastId, body}`
 * - a message of the Pipelines API → `{kind:'identify'|'track'|'page'|'screen'|'group'|'alias', body}`
 *
 * In a predicate the operation may be malformed: it is as it arrived, before any check.
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
  /** Of the App and the Pipelines API only. */
  readonly kind?: string
  /** Of the App and the Pipelines API only: the request's body, or the message, as it came. */
  readonly body?: Readonly<Record<string, unknown>>
  readonly [field: string]: unknown
}

/** Why an operation was refused, as the v2 API says it in `errors`. */
export interface Refusal {
  /** `required`, `invalid` or `too_large`; a `refuse` misbehaviour may say anything. */
  readonly reason: string
  /** The path of the offending field: `identifiers.id`, `attributes.plan`; empty where it is the operation as a whole. */
  readonly field: string
  readonly message: string
}

/** One operation that took effect. */
export interface AppliedOperation {
  /** 1 for the first operation applied since start or `reset()`, without gaps. */
  readonly ordinal: number
  /** The request that carried it: `ordinal` in `requests.recent`. */
  readonly requestOrdinal: number
  /**
   * Who it is about, as addressed: `id:u1`, `email:a@b.c` (lower case), `phone:+123`, `cio_id:…`, `anonymous_id:…`; the
   * primary of a merge; `object:1/acme`, `object:cio/…`; `delivery:…`.
   */
  readonly personKey: string
  readonly type: 'person' | 'object' | 'delivery'
  /** `identify`, `event`, `page`, `screen`, `add_device`, `delete_device`, `delete`, `suppress`, `unsuppress`, `merge`, … */
  readonly action: string
  /** The event's name, trimmed as Customer.io does. */
  readonly name: string | undefined
  /** The event's ULID, in upper case. */
  readonly ulid: string | undefined
  /** The operation's own time, Unix seconds; undefined where it carried none. */
  readonly timestamp: number | undefined
  /** The whole operation in v2 form. */
  readonly body: FakeOperation
  /** When the request arrived, Unix milliseconds. */
  readonly receivedAt: number
  readonly duplicate: false
}

/** An event that was dropped because its ULID had been seen. Answered like an applied one. */
export interface DuplicateOperation extends Omit<AppliedOperation, 'ordinal' | 'duplicate'> {
  readonly duplicate: true
  /** The `ordinal` of the event that took effect. */
  readonly firstOrdinal: number
  /** Whether the body equals the first one's; undefined with `keepOperations: false`. */
  readonly sameBody: boolean | undefined
}

/** An operation that was answered like an applied one and had no effect, as documented. */
export interface IgnoredOperation extends Omit<AppliedOperation, 'ordinal' | 'duplicate'> {
  readonly why: IgnoredBecause
}

/**
 * - `suppressed`: the person's identifier is suppressed
 * - `unknown_cio_id`: no person has that `cio_id`
 * - `update_only`: `_update: true`, and no such person
 * - `merge_primary_missing`, `merge_secondary_missing`, `merge_same_person`
 */
export type IgnoredBecause =
  | 'suppressed'
  | 'unknown_cio_id'
  | 'update_only'
  | 'merge_primary_missing'
  | 'merge_secondary_missing'
  | 'merge_same_person'

/** Which request an operation came with. */
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
