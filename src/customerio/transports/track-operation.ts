import type {
  AddDeviceIntent,
  EntityIntent,
  IdentifyIntent,
  Person,
  TrackApiIntent,
  TrackPushIntent,
} from '../../intent/intent.ts'
import type { Json, JsonObject } from '../../intent/json-types.ts'
import { toUlid } from './ulid.ts'
import type { StoredIntent } from './stored-intent.ts'

/** One member of a Track v2 batch. Fields with the value `undefined` are left out of the JSON that is sent. */
export type TrackV2Operation = {
  readonly type: string
  readonly action: string
  readonly [field: string]: Json | undefined
}

/** Options for the formats of the Track API. */
export interface TrackFormOptions {
  /**
   * Sends `trackAnonymous` in v2 batches, as `identifiers: { anonymous_id }`. Otherwise each event is a v1 request of its
   * own. Other clients send anonymous events to v2, but Customer.io does not document that. Default: false.
   */
  readonly anonymousOnV2?: boolean | undefined
  /**
   * Sends `identify` with its timestamp. Customer.io orders updates in rapid succession by it, and drops an update that is
   * older than the last update of the profile. Default: true.
   */
  readonly identifyTimestamp?: boolean | undefined
}

/** An intent that Track v2 can deliver, documented or not. */
export type TrackV2Intent = Exclude<TrackApiIntent, TrackPushIntent>

/**
 * The Track v2 operation that delivers an intent. A row gives the same operation for every retry, redrive and replay,
 * including event id and timestamp.
 */
export function toTrackOperation(
  row: StoredIntent,
  intent: TrackV2Intent,
  { identifyTimestamp = true }: TrackFormOptions = {},
): TrackV2Operation {
  switch (intent.operation) {
    case 'identify':
      return identify(intent, identifyTimestamp ? (intent.timestamp ?? row.occurredAtSeconds) : undefined)
    case 'track':
      return event(row, intent, identifiersOf(intent), 'event', intent.name)
    case 'trackPageView':
      return event(row, intent, identifiersOf(intent), 'page', intent.path)
    case 'trackScreen':
      return event(row, intent, identifiersOf(intent), 'screen', intent.name)
    case 'trackAnonymous':
      return event(row, intent, { anonymous_id: intent.anonymousId }, 'event', intent.name)
    case 'addDevice':
      return { ...person(intent, 'add_device'), device: device(intent) }
    case 'deleteDevice':
      return { ...person(intent, 'delete_device'), device: { token: intent.deviceId } }
    case 'suppress':
    case 'unsuppress':
      return person(intent, intent.operation)
    case 'destroy':
      return person(intent, 'delete')
    case 'mergeCustomers': {
      const [primary, secondary] = [withTextId(intent.primary), withTextId(intent.secondary)]
      return { type: 'person', action: 'merge', primary, secondary }
    }
    case 'entity':
      return entity(row, intent)
  }
}

function person(intent: Person, action: string) {
  return { type: 'person', action, identifiers: identifiersOf(intent) }
}

/** The identifiers of a person. An id is sent as a string, because Customer.io accepts no number. */
function identifiersOf(intent: Person): JsonObject {
  return intent.customerId === undefined ? withTextId(intent.identifiers) : { id: String(intent.customerId) }
}

function withTextId(identifiers: JsonObject): JsonObject {
  return typeof identifiers.id === 'number' ? { id: String(identifiers.id) } : identifiers
}

type EventIntent = Extract<
  TrackV2Intent,
  { operation: 'track' | 'trackAnonymous' | 'trackPageView' | 'trackScreen' }
>

/** The operation of an event, with its fields in the order in which `outbox.wire_of` writes them. */
function event(
  row: StoredIntent,
  intent: EventIntent,
  identifiers: JsonObject,
  action: string,
  name: string,
): TrackV2Operation {
  return {
    id: toUlid(row.id),
    timestamp: intent.timestamp ?? row.occurredAtSeconds,
    type: 'person',
    action,
    identifiers,
    name,
    attributes: intent.data,
  }
}

/** In v2, relationships are an array beside the attributes. In v1, they are one of the attributes. */
function identify(intent: IdentifyIntent, timestamp: number | undefined): TrackV2Operation {
  const identified = { timestamp, ...person(intent, 'identify') }
  if (intent.attributes === undefined) return identified
  const { cio_relationships: given, ...attributes } = intent.attributes
  return {
    ...identified,
    attributes,
    cio_relationships: isV1Relationships(given) ? given.relationships : given,
  }
}

function isV1Relationships(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** All fields of `data` but `last_used` are attributes of the device, as in customerio-node. */
function device({ deviceId, platform, data }: AddDeviceIntent): JsonObject {
  const { last_used, ...attributes } = data ?? {}
  const named = { token: deviceId, platform, last_used }
  return Object.keys(attributes).length === 0 ? named : { ...named, attributes }
}

const EVENT_ACTIONS = ['event', 'page', 'screen']

/**
 * The operation of an `entity` intent as the app gave it. Only the event of a person gets an id, by which Customer.io drops
 * duplicates, and a timestamp.
 */
function entity(row: StoredIntent, { entity: operation }: EntityIntent): TrackV2Operation {
  if (operation.type !== 'person' || !EVENT_ACTIONS.includes(operation.action)) return operation
  return {
    ...operation,
    id: operation.id ?? toUlid(row.id),
    timestamp: operation.timestamp ?? row.occurredAtSeconds,
  }
}
