import { intentOf, type StoredIntent } from '../../customerio/transports/stored-intent.ts'
import { toTrackOperation, type TrackV2Operation } from '../../customerio/transports/track-operation.ts'
import { InvalidIntentError } from '../../intent/errors.ts'
import type { Operation } from '../../intent/intent.ts'
import type { Json, JsonObject } from '../../intent/json-types.ts'
import type { TimelineIntent } from './read-timeline.ts'

/** What an intent does to a person at Customer.io. Times are Unix seconds. */
export type Effect =
  | {
      readonly kind: 'attributes'
      readonly values: JsonObject
      readonly time: number
      readonly updateOnly: boolean
    }
  | {
      readonly kind: 'event'
      readonly type: 'event' | 'page' | 'screen'
      readonly name: string
      readonly data: JsonObject
      readonly time: number
    }
  | { readonly kind: 'device_added'; readonly token: string; readonly device: JsonObject }
  | { readonly kind: 'device_removed'; readonly token: string }
  | { readonly kind: 'deleted' }
  | { readonly kind: 'suppressed' }
  | { readonly kind: 'unsuppressed' }
  | { readonly kind: 'merged'; readonly primary: JsonObject; readonly secondary: JsonObject }
  | { readonly kind: 'message' }
  /** An operation that the timeline lists, and does not fold: relationships, objects, groups, push reports. */
  | { readonly kind: 'other' }

/** The effect of a kept intent. Pure. An intent that is not readable (any more) is `other`. */
export function effectOf({ id, operation, payload, writtenAt }: TimelineIntent): Effect {
  const occurredAtSeconds = secondsOf(writtenAt)
  const row: StoredIntent = { id, operation: operation as Operation, payload, occurredAtSeconds }
  try {
    const intent = intentOf(row)
    if ('message' in intent) {
      return operation.startsWith('pipelines.')
        ? pipelinesEffect(operation, intent.message as JsonObject, occurredAtSeconds)
        : { kind: 'message' }
    }
    if (intent.operation === 'trackPush' || intent.operation === 'triggerBroadcast') return OTHER
    return trackEffect(toTrackOperation(row, intent), occurredAtSeconds)
  } catch (error) {
    if (error instanceof InvalidIntentError) return OTHER
    throw error
  }
}

const OTHER: Effect = { kind: 'other' }
const EVENT_TYPES = { event: 'event', page: 'page', screen: 'screen' } as const

/** The effect of an operation in the form in which Customer.io gets it. */
function trackEffect(sent: TrackV2Operation, writtenAt: number): Effect {
  if (sent.type !== 'person') return OTHER
  const attributes = objectAt(sent, 'attributes')
  const time = typeof sent.timestamp === 'number' ? sent.timestamp : writtenAt
  const token = textOf(objectAt(sent, 'device').token)
  switch (sent.action) {
    case 'identify': {
      const { _update: updateOnly, ...values } = attributes
      return { kind: 'attributes', values, time, updateOnly: updateOnly === true }
    }
    case 'event':
    case 'page':
    case 'screen':
      return {
        kind: 'event',
        type: EVENT_TYPES[sent.action],
        name: textOf(sent.name),
        data: attributes,
        time,
      }
    case 'add_device':
      return { kind: 'device_added', token, device: objectAt(sent, 'device') }
    case 'delete_device':
      return { kind: 'device_removed', token }
    case 'delete':
      return { kind: 'deleted' }
    case 'suppress':
      return { kind: 'suppressed' }
    case 'unsuppress':
      return { kind: 'unsuppressed' }
    case 'merge':
      return { kind: 'merged', primary: objectAt(sent, 'primary'), secondary: objectAt(sent, 'secondary') }
    default:
      return OTHER
  }
}

function pipelinesEffect(operation: string, message: JsonObject, writtenAt: number): Effect {
  const given = Date.parse(textOf(message.timestamp))
  const time = Number.isNaN(given) ? writtenAt : Math.floor(given / 1_000)
  switch (operation) {
    case 'pipelines.identify':
      return { kind: 'attributes', values: objectAt(message, 'traits'), time, updateOnly: false }
    case 'pipelines.track':
      return {
        kind: 'event',
        type: 'event',
        name: textOf(message.event),
        data: objectAt(message, 'properties'),
        time,
      }
    case 'pipelines.page':
    case 'pipelines.screen': {
      const type = operation === 'pipelines.page' ? 'page' : 'screen'
      return { kind: 'event', type, name: textOf(message.name), data: objectAt(message, 'properties'), time }
    }
    case 'pipelines.alias':
      return {
        kind: 'merged',
        primary: { id: message.userId ?? null },
        secondary: { id: message.previousId ?? null },
      }
    default:
      return OTHER
  }
}

function secondsOf(time: Date): number {
  return Math.floor(time.getTime() / 1_000)
}

function objectAt(value: JsonObject, field: string): JsonObject {
  const found = value[field]
  return isObject(found) ? found : {}
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function textOf(value: Json | undefined): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : ''
}
