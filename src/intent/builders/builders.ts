import type {
  AddDeviceIntent,
  DeleteDeviceIntent,
  DestroyIntent,
  EntityIntent,
  IdentifyIntent,
  MergeCustomersIntent,
  MergeIdentifier,
  Person,
  PersonIdentifiers,
  SuppressIntent,
  TrackAnonymousIntent,
  TrackIntent,
  TrackPageViewIntent,
  TrackPushIntent,
  TrackScreenIntent,
  UnixSeconds,
  UnsuppressIntent,
} from '../intent.ts'
import type { JsonObject } from '../json-types.ts'
import {
  sendEmail,
  sendInApp,
  sendInboxMessage,
  sendPush,
  sendSMS,
  triggerBroadcast,
} from './message-builders.ts'
import { pipelines } from './pipelines-builders.ts'

export * from './message-builders.ts'
export * from './pipelines-builders.ts'

/** A person: their id, or one identifier by name, such as `{ email: 'jane@example.com' }`. */
export type PersonRef = string | number | PersonIdentifiers

/** Fields that events and identify have beside their own. */
export type TimeOfIntent = {
  /** Unix time in whole seconds. Default: the time of the business write. */
  readonly timestamp?: UnixSeconds
}

/**
 * Creates or updates a person. `attributes`: at most 300, names ≤ 150 bytes, values ≤ 1,000 bytes; null
 * removes one.
 */
export function identify(
  person: PersonRef,
  attributes?: JsonObject,
  extra: TimeOfIntent = {},
): IdentifyIntent {
  return { operation: 'identify', ...personOf(person), ...given('attributes', attributes), ...extra }
}

/** Records an event of a person. `name`: 1 to 100 bytes. */
export function track(
  person: PersonRef,
  name: string,
  data?: JsonObject,
  extra: TimeOfIntent = {},
): TrackIntent {
  return { operation: 'track', ...personOf(person), name, ...given('data', data), ...extra }
}

/** Records a page view of a person. `path`: the page's URL or path, 1 to 100 bytes. */
export function trackPageView(
  person: PersonRef,
  path: string,
  data?: JsonObject,
  extra: TimeOfIntent = {},
): TrackPageViewIntent {
  return { operation: 'trackPageView', ...personOf(person), path, ...given('data', data), ...extra }
}

/** Records a mobile screen view of a person. `name`: the screen's, 1 to 100 bytes. */
export function trackScreen(
  person: PersonRef,
  name: string,
  data?: JsonObject,
  extra: TimeOfIntent = {},
): TrackScreenIntent {
  return { operation: 'trackScreen', ...personOf(person), name, ...given('data', data), ...extra }
}

/**
 * Records an event of somebody who is not known yet. `anonymousId`: a cookie's or a device's id; '' for an
 * anonymous invite, which goes to the email address in `data.recipient`. `name`: 1 to 100 bytes.
 */
export function trackAnonymous(
  anonymousId: string,
  name: string,
  data?: JsonObject,
  extra: TimeOfIntent = {},
): TrackAnonymousIntent {
  return { operation: 'trackAnonymous', anonymousId, name, ...given('data', data), ...extra }
}

/** Reports what became of a push notification on a device. `deliveryId`: its `CIO-Delivery-ID`. */
export function trackPush(
  deliveryId: string,
  event: TrackPushIntent['event'],
  deviceId?: string,
  extra: TimeOfIntent = {},
): TrackPushIntent {
  return { operation: 'trackPush', deliveryId, event, ...given('deviceId', deviceId), ...extra }
}

/** Adds or updates a person's device. `data`: `last_used` (Unix seconds) and the device's attributes. */
export function addDevice(
  person: PersonRef,
  deviceId: string,
  platform: AddDeviceIntent['platform'],
  data?: AddDeviceIntent['data'],
): AddDeviceIntent {
  return { operation: 'addDevice', ...personOf(person), deviceId, platform, ...given('data', data) }
}

/** Removes a person's device. */
export function deleteDevice(person: PersonRef, deviceId: string): DeleteDeviceIntent {
  return { operation: 'deleteDevice', ...personOf(person), deviceId }
}

/** Deletes a person and keeps their identifiers from being added again, until {@link unsuppress}. */
export function suppress(person: PersonRef): SuppressIntent {
  return { operation: 'suppress', ...personOf(person) }
}

/** Lets a suppressed person's identifiers be added again. */
export function unsuppress(person: PersonRef): UnsuppressIntent {
  return { operation: 'unsuppress', ...personOf(person) }
}

/** Deletes a person. Any later update of the same person brings them back: see {@link suppress}. */
export function destroy(person: PersonRef): DestroyIntent {
  return { operation: 'destroy', ...personOf(person) }
}

/** Merges `secondary` into `primary` and deletes `secondary`. Cannot be undone; `primary` must exist. */
export function mergeCustomers(primary: MergeIdentifier, secondary: MergeIdentifier): MergeCustomersIntent {
  return { operation: 'mergeCustomers', primary, secondary }
}

/**
 * Any operation of the Track API v2, as it stands: objects, relationships, and what has no builder of its
 * own.
 */
export function entity(operation: EntityIntent['entity']): EntityIntent {
  return { operation: 'entity', entity: operation }
}

/**
 * A builder for each operation: `outbox.enqueue(tx, intents.track(user.id, 'order_placed', { total: 42 }))`.
 */
export const intents = {
  identify,
  track,
  trackAnonymous,
  trackPageView,
  trackScreen,
  trackPush,
  addDevice,
  deleteDevice,
  suppress,
  unsuppress,
  destroy,
  mergeCustomers,
  entity,
  sendEmail,
  sendPush,
  sendSMS,
  sendInboxMessage,
  sendInApp,
  triggerBroadcast,
  pipelines,
} as const

function personOf(person: PersonRef): Person {
  return typeof person === 'object' && person !== null ? { identifiers: person } : { customerId: person }
}

function given<K extends string, T>(field: K, value: T | undefined): { [P in K]?: T } {
  return (value === undefined ? {} : { [field]: value }) as { [P in K]?: T }
}
