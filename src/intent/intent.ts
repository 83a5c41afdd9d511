/**
 * The intent: what an app asks to be delivered to Customer.io, as a discriminated union on `operation`.
 *
 * Pure types, no I/O. Limits and their sources are in `limits.ts`, the checks in `validate.ts`.
 */

import type { JsonObject } from './json-types.ts'
import type { MessageIntent, TriggerBroadcastIntent } from './message-intents.ts'
import type { PipelinesIntent } from './pipelines-intents.ts'

/** Exactly one identifier of a person; at most 150 bytes of UTF-8. */
export type PersonIdentifiers =
  | { readonly id: string | number }
  | { readonly email: string }
  | { readonly phone: string }
  | { readonly cio_id: string }

/** The person an intent is about: `customerId` (the same as `identifiers: { id }`) or `identifiers`. */
export type Person =
  | { readonly customerId: string | number; readonly identifiers?: never }
  | { readonly identifiers: PersonIdentifiers; readonly customerId?: never }

/** One of the two people of a merge. Customer.io merges by id, email or cio_id, not by phone. */
export type MergeIdentifier =
  | { readonly id: string | number }
  | { readonly email: string }
  | { readonly cio_id: string }

/** Unix time in whole seconds. Default: the time of the business write, which the database stamps. */
export type UnixSeconds = number

export type IdentifyIntent = Person & {
  readonly operation: 'identify'
  /** At most 300 attributes; names ≤ 150 bytes, values ≤ 1,000 bytes. */
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
  /** The page's URL or path; 1 to 100 bytes. */
  readonly path: string
  readonly data?: JsonObject
  readonly timestamp?: UnixSeconds
}

export type TrackScreenIntent = Person & {
  readonly operation: 'trackScreen'
  /** The screen's name; 1 to 100 bytes. */
  readonly name: string
  readonly data?: JsonObject
  readonly timestamp?: UnixSeconds
}

export type AddDeviceIntent = Person & {
  readonly operation: 'addDevice'
  readonly deviceId: string
  readonly platform: 'ios' | 'android'
  /** `last_used` (Unix seconds) and the device's attributes. */
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
  /** The person that stays. Its identifier is the ordering key. */
  readonly primary: MergeIdentifier
  /** The person that is merged into the primary and deleted. */
  readonly secondary: MergeIdentifier
}

/** Any operation of the Track API v2 as it stands: people, objects, relationships. */
export type EntityIntent = {
  readonly operation: 'entity'
  readonly entity: JsonObject & { readonly type: string; readonly action: string }
}

/** An event of somebody who is not known yet, or an invitation by email. */
export type TrackAnonymousIntent = {
  readonly operation: 'trackAnonymous'
  /**
   * A cookie's or a device's id, at most 150 bytes: once a person has it as `anonymous_id`, the event is theirs.
   * '' for an anonymous invite, which goes to the email address in `data.recipient`.
   */
  readonly anonymousId: string
  /** 1 to 100 bytes. */
  readonly name: string
  readonly data?: JsonObject
  readonly timestamp?: UnixSeconds
}

/** What became of a push notification on a device. */
export type TrackPushIntent = {
  readonly operation: 'trackPush'
  /** The notification's `CIO-Delivery-ID`. */
  readonly deliveryId: string
  /** The notification's `CIO-Delivery-Token`. */
  readonly deviceId?: string
  readonly event: 'opened' | 'converted' | 'delivered'
  readonly timestamp?: UnixSeconds
}

/** What the Track API takes. */
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

/** Whatever can be enqueued. */
export type Intent = TrackApiIntent | MessageIntent | TriggerBroadcastIntent | PipelinesIntent

export type Operation = Intent['operation']
