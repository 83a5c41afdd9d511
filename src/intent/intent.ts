/**
 * The intent: an operation that an app wants delivered to Customer.io. A discriminated union on `operation`.
 *
 * Pure types, no I/O. `limits.ts` has the limits and their sources, `validate/` the checks.
 */

import type { JsonObject } from './json-types.ts'
import type { MessageIntent, TriggerBroadcastIntent } from './message-intents.ts'
import type { PipelinesIntent } from './pipelines-intents.ts'

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

export type IdentifyIntent = Person & {
  readonly operation: 'identify'
  /** At most 300 attributes. Names have at most 150 bytes, values at most 1,000 bytes. Null removes an attribute. */
  readonly attributes?: JsonObject
  readonly timestamp?: UnixSeconds
}

export type TrackIntent = Person & {
  readonly operation: 'track'
  /** 1 to 100 bytes. */
  readonly name: string
  readonly data?: JsonObject
  readonly timestamp?: UnixSeconds
}

export type TrackPageViewIntent = Person & {
  readonly operation: 'trackPageView'
  /** URL or path of the page, 1 to 100 bytes. */
  readonly path: string
  readonly data?: JsonObject
  readonly timestamp?: UnixSeconds
}

export type TrackScreenIntent = Person & {
  readonly operation: 'trackScreen'
  /** Name of the screen, 1 to 100 bytes. */
  readonly name: string
  readonly data?: JsonObject
  readonly timestamp?: UnixSeconds
}

export type AddDeviceIntent = Person & {
  readonly operation: 'addDevice'
  readonly deviceId: string
  readonly platform: 'ios' | 'android'
  /** `last_used` in Unix seconds, and attributes of the device. */
  readonly data?: JsonObject & { readonly last_used?: UnixSeconds }
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
export type EntityIntent = {
  readonly operation: 'entity'
  readonly entity: JsonObject & { readonly type: string; readonly action: string }
}

/** An event of an anonymous visitor, or an anonymous invite by email. */
export type TrackAnonymousIntent = {
  readonly operation: 'trackAnonymous'
  /**
   * Id of a cookie or a device, at most 150 bytes. A person who has it as `anonymous_id` gets the event. Empty for an
   * anonymous invite: it goes to the email address in `data.recipient`.
   */
  readonly anonymousId: string
  /** 1 to 100 bytes. */
  readonly name: string
  readonly data?: JsonObject
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

/** Intents for the Track API. */
export type TrackApiIntent =
  | IdentifyIntent
  | TrackIntent
  | TrackAnonymousIntent
  | TrackPageViewIntent
  | TrackScreenIntent
  | TrackPushIntent
  | AddDeviceIntent
  | DeleteDeviceIntent
  | SuppressIntent
  | UnsuppressIntent
  | DestroyIntent
  | MergeCustomersIntent
  | EntityIntent

/** Any intent that can be enqueued. */
export type Intent = TrackApiIntent | MessageIntent | TriggerBroadcastIntent | PipelinesIntent

/** Name of an operation, such as `track` or `sendEmail`. */
export type Operation = Intent['operation']
