/**
 * The intent: an operation that an app wants delivered to Customer.io. A discriminated union on `operation`.
 *
 * Pure types, no I/O. `limits.ts` has the limits and their sources, `validate/` the checks.
 */

import type { JsonObject } from './json-types.ts'
import type { MessageIntent, TriggerBroadcastIntent } from './message-intents.ts'
import type { PipelinesIntent, PipelinesTrackIntent } from './pipelines-intents.ts'

/** Exactly one identifier of a person, of at most 150 bytes of UTF-8. */
export type PersonIdentifiers =
  | { readonly id: string | number }
  | { readonly email: string }
  | { readonly phone: string }
  | { readonly cio_id: string }

/** The person of an intent, given as `identifiers` or as `customerId`. `customerId` is short for `identifiers: { id }`. */
export type Person =
  | { readonly customerId: string | number; readonly identifiers?: never }
  | { readonly identifiers: PersonIdentifiers; readonly customerId?: never }

/** One of the two people of a merge. Customer.io merges by `id`, `email` or `cio_id`, not by `phone`. */
export type MergeIdentifier =
  | { readonly id: string | number }
  | { readonly email: string }
  | { readonly cio_id: string }

/** Unix time in whole seconds. Default: the database's time at `enqueue`. */
export type UnixSeconds = number

export type IdentifyIntent<Data = JsonObject> = Person & {
  readonly operation: 'identify'
  /** At most 300 attributes. Names have at most 150 bytes, values at most 1,000 bytes. Null removes an attribute. */
  readonly attributes?: Data
  readonly timestamp?: UnixSeconds
}

export type TrackIntent<Data = JsonObject, Name extends string = string> = Person & {
  readonly operation: 'track'
  /** 1 to 100 bytes. */
  readonly name: Name
  readonly data?: Data
  readonly timestamp?: UnixSeconds
}

export type TrackPageViewIntent<Data = JsonObject> = Person & {
  readonly operation: 'trackPageView'
  /** URL or path of the page, 1 to 100 bytes. */
  readonly path: string
  readonly data?: Data
  readonly timestamp?: UnixSeconds
}

export type TrackScreenIntent<Data = JsonObject> = Person & {
  readonly operation: 'trackScreen'
  /** Name of the screen, 1 to 100 bytes. */
  readonly name: string
  readonly data?: Data
  readonly timestamp?: UnixSeconds
}

export type AddDeviceIntent<Data = JsonObject> = Person & {
  readonly operation: 'addDevice'
  readonly deviceId: string
  readonly platform: 'ios' | 'android'
  /** `last_used` in Unix seconds, and attributes of the device. */
  readonly data?: Data & { readonly last_used?: UnixSeconds }
}

export type DeleteDeviceIntent = Person & {
  readonly operation: 'deleteDevice'
  readonly deviceId: string
}

export type SuppressIntent = Person & { readonly operation: 'suppress' }
export type UnsuppressIntent = Person & { readonly operation: 'unsuppress' }
export type DestroyIntent = Person & { readonly operation: 'destroy' }

export type MergeCustomersIntent = {
  readonly operation: 'mergeCustomers'
  /** The person that stays. Its identifier is the default ordering key. */
  readonly primary: MergeIdentifier
  /** The person that Customer.io merges into `primary` and deletes. */
  readonly secondary: MergeIdentifier
}

/** Any operation of the Track API v2, sent without changes: people, objects, relationships. */
export type EntityIntent<Data = JsonObject> = {
  readonly operation: 'entity'
  readonly entity: Data & { readonly type: string; readonly action: string }
}

/** An event of an anonymous visitor, or an anonymous invite by email. */
export type TrackAnonymousIntent<Data = JsonObject, Name extends string = string> = {
  readonly operation: 'trackAnonymous'
  /**
   * Id of a cookie or a device, at most 150 bytes. A person who has it as `anonymous_id` gets the event. Empty for an
   * anonymous invite: it goes to the email address in `data.recipient`.
   */
  readonly anonymousId: string
  /** 1 to 100 bytes. */
  readonly name: Name
  readonly data?: Data
  readonly timestamp?: UnixSeconds
}

/** A report that a push notification was delivered, was opened, or led to a conversion. */
export type TrackPushIntent = {
  readonly operation: 'trackPush'
  /** The `CIO-Delivery-ID` of the notification. */
  readonly deliveryId: string
  /** The `CIO-Delivery-Token` of the notification. */
  readonly deviceId?: string
  readonly event: 'opened' | 'converted' | 'delivered'
  readonly timestamp?: UnixSeconds
}

/** An event by its name: what a tracking plan is about. Views of pages and screens are not. */
export type EventIntent<Data = JsonObject, Name extends string = string, Properties = object> =
  | TrackIntent<Data, Name>
  | TrackAnonymousIntent<Data, Name>
  | PipelinesTrackIntent<Properties, Name>

/** Any intent that is no {@link EventIntent}. */
export type OtherIntent<Data = JsonObject> =
  | IdentifyIntent<Data>
  | TrackPageViewIntent<Data>
  | TrackScreenIntent<Data>
  | TrackPushIntent
  | AddDeviceIntent<Data>
  | DeleteDeviceIntent
  | SuppressIntent
  | UnsuppressIntent
  | DestroyIntent
  | MergeCustomersIntent
  | EntityIntent<Data>
  | MessageIntent
  | TriggerBroadcastIntent<Data>
  | Exclude<PipelinesIntent, PipelinesTrackIntent>

/** Any intent that can be enqueued. */
export type Intent<Data = JsonObject> = EventIntent<Data> | OtherIntent<Data>

/** Intents for the Track API. */
export type TrackApiIntent = Exclude<Intent, MessageIntent | TriggerBroadcastIntent | PipelinesIntent>

/** Name of an operation, such as `track` or `sendEmail`. */
export type Operation = Intent['operation']
