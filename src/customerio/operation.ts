import { refuse } from '../intent/errors.ts'
import type {
  AddDeviceIntent,
  EntityIntent,
  IdentifyIntent,
  Intent,
  Json,
  JsonObject,
  Operation,
  Person,
} from '../intent/intent.ts'
import { validateIntent } from '../intent/validate.ts'
import { toUlid } from './event-id.ts'

/** What the mapping needs of a stored intent. */
export type StoredIntent = {
  /** The intent's UUID. */
  readonly id: string
  readonly operation: Operation
  /** The intent's other fields, as read from `jsonb`. */
  readonly payload: unknown
  /**
   * The time of the business write in whole Unix seconds: sent where the intent has no `timestamp` of its
   * own.
   */
  readonly occurredAtSeconds: number
}

/** One member of a Track v2 batch. Fields that are `undefined` are left out of the JSON that is sent. */
export type TrackV2Operation = {
  readonly type: string
  readonly action: string
  readonly [field: string]: Json | undefined
}

/**
 * The Track v2 operation that delivers a stored intent. The same row gives the same operation on every retry,
 * redrive and replay, event id and timestamp included.
 *
 * @throws InvalidIntentError where the payload is not one that `enqueue` would have let in, which callers of
 * the SQL function can bring about. No retry helps: the intent is for the dead letters.
 */
export function toTrackOperation(row: StoredIntent): TrackV2Operation {
  const intent = intentOf(row)
  switch (intent.operation) {
    case 'identify':
      return identify(intent, intent.timestamp ?? row.occurredAtSeconds)
    case 'track':
      return event(row, intent, 'event', intent.name)
    case 'trackPageView':
      return event(row, intent, 'page', intent.path)
    case 'trackScreen':
      return event(row, intent, 'screen', intent.name)
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

/** A top-level null counts as absent: `jsonb_build_object` in a trigger writes one for every empty column. */
function intentOf({ operation, payload }: StoredIntent): Intent {
  if (typeof payload !== 'object' || payload === null || Array.isArray(payload)) {
    refuse({ operation }, '', 'has a payload that is not a JSON object')
  }
  const given = Object.entries(payload).filter(([, value]) => value !== null)
  return validateIntent({ ...Object.fromEntries(given), operation })
}

function person(intent: Person, action: string) {
  return { type: 'person', identifiers: identifiersOf(intent), action }
}

/** Customer.io takes an id as text only. */
function identifiersOf(intent: Person): JsonObject {
  return intent.customerId === undefined ? withTextId(intent.identifiers) : { id: String(intent.customerId) }
}

function withTextId(identifiers: JsonObject): JsonObject {
  return typeof identifiers.id === 'number' ? { id: String(identifiers.id) } : identifiers
}

type EventIntent = Extract<Intent, { operation: 'track' | 'trackPageView' | 'trackScreen' }>

function event(row: StoredIntent, intent: EventIntent, action: string, name: string): TrackV2Operation {
  return {
    ...person(intent, action),
    name,
    id: toUlid(row.id),
    timestamp: intent.timestamp ?? row.occurredAtSeconds,
    attributes: intent.data,
  }
}

/** On v2, relationships stand beside the attributes, as an array; on v1 they stood among them. */
function identify(intent: IdentifyIntent, timestamp: number): TrackV2Operation {
  const identified = { ...person(intent, 'identify'), timestamp }
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

/** What `data` has beside `last_used` are the device's attributes, as in customerio-node. */
function device({ deviceId, platform, data }: AddDeviceIntent): JsonObject {
  const { last_used, ...attributes } = data ?? {}
  const named = { token: deviceId, platform, last_used }
  return Object.keys(attributes).length === 0 ? named : { ...named, attributes }
}

const EVENT_ACTIONS = ['event', 'page', 'screen']

/** As it stands; a person's event gets the id that makes its duplicates harmless, and its time. */
function entity(row: StoredIntent, { entity: operation }: EntityIntent): TrackV2Operation {
  if (operation.type !== 'person' || !EVENT_ACTIONS.includes(operation.action)) return operation
  return {
    ...operation,
    id: operation.id ?? toUlid(row.id),
    timestamp: operation.timestamp ?? row.occurredAtSeconds,
  }
}
