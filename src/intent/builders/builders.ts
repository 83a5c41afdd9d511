import type {
  AddDeviceIntent,
  DeleteDeviceIntent,
  DestroyIntent,
  EntityIntent,
  IdentifyIntent,
  MergeCustomersIntent,
  MergeIdentifier,
  SuppressIntent,
  TrackPushIntent,
  UnixSeconds,
  UnsuppressIntent,
} from '../intent.ts'
import type { JsonData } from '../json-types.ts'
import { track, trackAnonymous, trackPageView, trackScreen } from './event-builders.ts'
import {
  sendEmail,
  sendInApp,
  sendInboxMessage,
  sendPush,
  sendSMS,
  triggerBroadcast,
} from './message-builders.ts'
import { given, type PersonRef, personOf, type TimeOfIntent } from './person-ref.ts'
import { pipelines } from './pipelines-builders.ts'

export * from './event-builders.ts'
export * from './message-builders.ts'
export type { PersonRef, TimeOfIntent } from './person-ref.ts'
export * from './pipelines-builders.ts'

/**
 * Creates or updates a person.
 *
 * @param person The id of the person, or one identifier by its name: `{ email: 'jane@example.com' }`. At most 150 bytes.
 * @param attributes At most 300 attributes, with names of at most 150 bytes and values of at most 1,000 bytes. Null removes an
 * attribute.
 * @param extra Optional `timestamp` of the update.
 * @returns The intent, not checked yet: `enqueue` checks it.
 * @example
 * ```ts
 * import { intents } from 'customerio-outbox'
 *
 * await outbox.enqueue(tx, intents.identify(user.id, { email: user.email, plan: 'pro' }))
 * ```
 */
export function identify<Data = never>(
  person: PersonRef,
  attributes?: JsonData<Data> | undefined,
  extra: TimeOfIntent = {},
): IdentifyIntent<Exclude<Data, undefined>> {
  return {
    operation: 'identify',
    ...personOf(person),
    ...given<'attributes', Data>('attributes', attributes as Data),
    ...extra,
  }
}

/**
 * Reports that a push notification was delivered, was opened, or led to a conversion.
 *
 * @param deliveryId The `CIO-Delivery-ID` of the notification.
 * @param event `delivered`, `opened` or `converted`.
 * @param deviceId The `CIO-Delivery-Token` of the notification.
 * @param extra Optional `timestamp` of the event.
 * @returns The intent, not checked yet: `enqueue` checks it.
 * @example
 * ```ts
 * import { intents } from 'customerio-outbox'
 *
 * await outbox.enqueue(tx, intents.trackPush('RPILAgUBcRhIBqSp7PoM', 'opened', 'device-token'))
 * ```
 */
export function trackPush(
  deliveryId: string,
  event: TrackPushIntent['event'],
  deviceId?: string,
  extra: TimeOfIntent = {},
): TrackPushIntent {
  return { operation: 'trackPush', deliveryId, event, ...given('deviceId', deviceId), ...extra }
}

/**
 * Adds a device to a person, or updates it.
 *
 * @param person The id of the person, or one identifier by its name. At most 150 bytes.
 * @param deviceId Token of the device.
 * @param platform `ios` or `android`.
 * @param data `last_used` in Unix seconds, and attributes of the device.
 * @returns The intent, not checked yet: `enqueue` checks it.
 * @example
 * ```ts
 * import { intents } from 'customerio-outbox'
 *
 * await outbox.enqueue(tx, intents.addDevice(user.id, 'device-token', 'ios', { app_version: '4.2' }))
 * ```
 */
export function addDevice<Data = never>(
  person: PersonRef,
  deviceId: string,
  platform: AddDeviceIntent['platform'],
  data?: (JsonData<Data> & { readonly last_used?: UnixSeconds }) | undefined,
): AddDeviceIntent<Exclude<Data, undefined>> {
  return {
    operation: 'addDevice',
    ...personOf(person),
    deviceId,
    platform,
    ...given('data', data),
  } as AddDeviceIntent<Exclude<Data, undefined>>
}

/**
 * Removes a device from a person.
 *
 * @param person The id of the person, or one identifier by its name. At most 150 bytes.
 * @param deviceId Token of the device.
 * @returns The intent, not checked yet: `enqueue` checks it.
 * @example
 * ```ts
 * import { intents } from 'customerio-outbox'
 *
 * await outbox.enqueue(tx, intents.deleteDevice(user.id, 'device-token'))
 * ```
 */
export function deleteDevice(person: PersonRef, deviceId: string): DeleteDeviceIntent {
  return { operation: 'deleteDevice', ...personOf(person), deviceId }
}

/**
 * Deletes a person. Customer.io then ignores the identifiers of the person until {@link unsuppress}.
 *
 * @param person The id of the person, or one identifier by its name. At most 150 bytes.
 * @returns The intent, not checked yet: `enqueue` checks it.
 * @example
 * ```ts
 * import { intents } from 'customerio-outbox'
 *
 * await outbox.enqueue(tx, intents.suppress(user.id))
 * ```
 */
export function suppress(person: PersonRef): SuppressIntent {
  return { operation: 'suppress', ...personOf(person) }
}

/**
 * Allows the identifiers of a suppressed person to be added again.
 *
 * @param person The id of the person, or one identifier by its name. At most 150 bytes.
 * @returns The intent, not checked yet: `enqueue` checks it.
 * @example
 * ```ts
 * import { intents } from 'customerio-outbox'
 *
 * await outbox.enqueue(tx, intents.unsuppress(user.id))
 * ```
 */
export function unsuppress(person: PersonRef): UnsuppressIntent {
  return { operation: 'unsuppress', ...personOf(person) }
}

/**
 * Deletes a person. Any later update creates the person again; see {@link suppress}.
 *
 * @param person The id of the person, or one identifier by its name. At most 150 bytes.
 * @returns The intent, not checked yet: `enqueue` checks it.
 * @example
 * ```ts
 * import { intents } from 'customerio-outbox'
 *
 * await outbox.enqueue(tx, intents.destroy(user.id))
 * ```
 */
export function destroy(person: PersonRef): DestroyIntent {
  return { operation: 'destroy', ...personOf(person) }
}

/**
 * Merges `secondary` into `primary` and deletes `secondary`. Customer.io cannot undo a merge.
 *
 * @param primary The person that stays, by `id`, `email` or `cio_id`. It must exist. Its identifier is the ordering key.
 * @param secondary The person that is deleted, by `id`, `email` or `cio_id`.
 * @returns The intent, not checked yet: `enqueue` checks it.
 * @example
 * ```ts
 * import { intents } from 'customerio-outbox'
 *
 * await outbox.enqueue(tx, intents.mergeCustomers({ id: user.id }, { email: 'jane.doe@example.com' }))
 * ```
 */
export function mergeCustomers(primary: MergeIdentifier, secondary: MergeIdentifier): MergeCustomersIntent {
  return { operation: 'mergeCustomers', primary, secondary }
}

/**
 * Any operation of the Track API v2, without changes: objects, relationships, and operations without a builder.
 *
 * @param operation The operation, in the form of `POST /api/v2/entity`.
 * @returns The intent, not checked yet: `enqueue` checks it.
 * @example
 * ```ts
 * import { intents } from 'customerio-outbox'
 *
 * const account = { type: 'object', action: 'identify', identifiers: { object_type_id: '1', object_id: 'acme' } }
 * await outbox.enqueue(tx, intents.entity({ ...account, attributes: { name: 'Acme' } }))
 * ```
 */
export function entity<Data extends object>(
  operation: EntityIntent<JsonData<Data>>['entity'],
): EntityIntent<Data> {
  return { operation: 'entity', entity: operation }
}

/**
 * A builder for each operation.
 *
 * @example
 * ```ts
 * import { intents } from 'customerio-outbox'
 *
 * await outbox.enqueue(tx, [
 *   intents.identify(user.id, { email: user.email }),
 *   intents.track(user.id, 'order_placed', { total: 42 }),
 * ])
 * ```
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
