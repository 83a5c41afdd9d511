import type { TrackClient } from 'customerio-node'
import { fail } from '../../intent/errors.ts'
import type { Intent } from '../../intent/intent.ts'
import type { EventPlan } from '../../intent/plan/event-schema.ts'
import { toJsonValue, toJsonFields, isEmpty } from './to-json.ts'
import type { PlannedTrackMethods, WithPlan } from './planned-clients.ts'
import { type Enqueuing, type Sink, unchecked } from './client-types.ts'

type Methods = Enqueuing<
  Pick<
    TrackClient,
    | 'identify'
    | 'destroy'
    | 'suppress'
    | 'unsuppress'
    | 'track'
    | 'trackAnonymous'
    | 'trackPageView'
    | 'trackPush'
    | 'addDevice'
    | 'deleteDevice'
    | 'mergeCustomers'
    | 'batch'
    | 'entity'
  >
>

/**
 * The methods of customerio-node's `TrackClient` that can be enqueued. Each resolves when the intent is stored in the
 * transaction; see `Outbox.trackClient`.
 */
export type OutboxTrackClient<Events extends EventPlan = never, Strict extends boolean = true> = WithPlan<
  Events,
  Methods,
  PlannedTrackMethods<Events, Strict>
>

export function createTrackClient({ one, many }: Sink): OutboxTrackClient {
  return {
    identify: (customerId, data) => one(() => identify(customerId, data)),
    destroy: (customerId) => one(() => unchecked({ operation: 'destroy', ...personOf(customerId) })),
    suppress: (customerId) => one(() => unchecked({ operation: 'suppress', ...personOf(customerId) })),
    unsuppress: (customerId) => one(() => unchecked({ operation: 'unsuppress', ...personOf(customerId) })),
    track: (customerId, data) => one(() => track(customerId, data)),
    trackAnonymous: (anonymousId, data) => one(() => trackAnonymous(anonymousId, data)),
    trackPageView: (customerId, path) =>
      one(() => unchecked({ operation: 'trackPageView', ...personOf(customerId), path })),
    trackPush: (data) => one(() => trackPush(data)),
    addDevice: (customerId, deviceId, platform, data) =>
      one(() =>
        unchecked({
          operation: 'addDevice',
          ...personOf(customerId),
          deviceId,
          platform,
          data: toJsonValue(data),
        }),
      ),
    deleteDevice: (customerId, token) =>
      one(() => unchecked({ operation: 'deleteDevice', ...personOf(customerId), deviceId: textOf(token) })),
    mergeCustomers: (primaryType, primaryId, secondaryType, secondaryId) =>
      one(() =>
        unchecked({
          operation: 'mergeCustomers',
          primary: { [primaryType]: identifier(primaryType, primaryId) },
          secondary: { [secondaryType]: identifier(secondaryType, secondaryId) },
        }),
      ),
    entity: (operation) => one(() => entity(operation)),
    batch: (operations) =>
      many(
        Array.isArray(operations)
          ? operations.map((operation) => () => entity(operation))
          : [() => fail({ operation: 'batch' }, 'operations', 'must be an array')],
      ),
  }
}

/** Recognises the kind of an identifier by its form, as v1 does in a path: `cio_…`, an email address, or else an id. */
function personOf(customerId: string | number): Record<string, unknown> {
  if (typeof customerId !== 'string') return { customerId }
  if (customerId.startsWith('cio_')) return { identifiers: { cio_id: customerId.slice('cio_'.length) } }
  return customerId.includes('@') ? { identifiers: { email: customerId } } : { customerId }
}

function identify(customerId: string | number, data: unknown): Intent {
  const person = { operation: 'identify', ...personOf(customerId) }
  const fields = toJsonFields(data)
  if (fields === undefined) return unchecked({ ...person, attributes: data })
  const { _timestamp: timestamp, ...attributes } = fields
  return unchecked({ ...person, attributes, timestamp })
}

/** v1 has one call for events, pages and screens. Its `type` decides; any other type is an event. */
const EVENTS = {
  event: { operation: 'track', name: 'name' },
  page: { operation: 'trackPageView', name: 'path' },
  screen: { operation: 'trackScreen', name: 'name' },
} as const

function track(customerId: string | number, given: unknown): Intent {
  const { type, name, id, timestamp, data, ...others } = toJsonFields(given) ?? {}
  const action = type === 'page' || type === 'screen' ? type : 'event'
  const person = personOf(customerId)
  const event = EVENTS[action]
  if (id === undefined) {
    return unchecked({
      ...others,
      operation: event.operation,
      ...person,
      [event.name]: name,
      data,
      timestamp,
    })
  }
  const identifiers = person.identifiers ?? { id: textOf(customerId) }
  const operation = { type: 'person', action, identifiers, name, id, timestamp, attributes: data }
  return unchecked({ ...others, operation: 'entity', entity: withoutUndefined(operation) })
}

function trackAnonymous(anonymousId: string | number, given: unknown): Intent {
  const { type, name, timestamp, data, anonymous_id, ...others } = toJsonFields(given) ?? {}
  if (type === 'page' || type === 'screen') {
    fail(
      { operation: 'trackAnonymous' },
      'type',
      `${type} cannot be enqueued, leave it out to record an event`,
    )
  }
  if (others.id !== undefined) {
    fail({ operation: 'trackAnonymous' }, 'id', 'cannot be given: the outbox makes one')
  }
  const named = isEmpty(anonymousId) ? (anonymous_id ?? '') : anonymousId
  return unchecked({
    ...others,
    operation: 'trackAnonymous',
    anonymousId: textOf(named),
    name,
    data,
    timestamp,
  })
}

function trackPush(given: unknown): Intent {
  const { delivery_id, device_id, event, timestamp, ...others } = toJsonFields(given) ?? {}
  return unchecked({
    ...others,
    operation: 'trackPush',
    deliveryId: delivery_id,
    deviceId: device_id,
    event,
    timestamp,
  })
}

function entity(operation: unknown): Intent {
  return unchecked({ operation: 'entity', entity: toJsonValue(operation) })
}

/** Customer.io accepts an email and a cio_id as strings only. */
function identifier(type: string, value: unknown): unknown {
  return type === 'id' ? value : textOf(value)
}

/** Turns a number into text, as in a path. Other types stay: the checks of the intent refuse them. */
function textOf(value: unknown): unknown {
  return typeof value === 'number' ? String(value) : value
}

function withoutUndefined(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
}
