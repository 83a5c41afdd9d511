import { type FakeOperation, invalid, isRecord, type Refusal } from '../model/operation.ts'
import { exceedsJsonBytes, publishedLimits } from '../model/published-limits.ts'

type V1Form = 'v1Error' | 'v1Errors'

type V1Request =
  | { readonly kind: 'operations'; readonly form: V1Form; readonly operations: readonly FakeOperation[] }
  | { readonly kind: 'malformed'; readonly form: V1Form; readonly status: 400; readonly refusal: Refusal }
  | { readonly kind: 'region' }
  | { readonly kind: 'unknown' }

type ReadBody = () => unknown

/** Routes a v1 request and translates it to the v2 form of its operation. */
export function parseV1(method: string, path: string, read: ReadBody): V1Request {
  const parts = decodePath(path.slice('/api/v1/'.length))
  if (parts === undefined) return malformed('v1Error', invalid('', 'the path is not valid UTF-8'))
  const [resource, identifier = '', ...rest] = parts
  if (resource === 'customers') return parseCustomer(method, identifier, rest, read)
  switch (`${method} ${parts.join('/')}`) {
    case 'GET accounts/region':
      return { kind: 'region' }
    case 'POST events':
      return withBody('v1Errors', read, anonymousEvent)
    case 'POST merge_customers':
      return withBody('v1Error', read, ({ primary, secondary }) => ({
        type: 'person',
        action: 'merge',
        primary,
        secondary,
      }))
    case 'POST push/events':
      return withBody('v1Errors', read, pushMetric)
    default:
      return { kind: 'unknown' }
  }
}

function parseCustomer(
  method: string,
  identifier: string,
  rest: readonly string[],
  read: ReadBody,
): V1Request {
  const person = { type: 'person', identifiers: identifiersOf(identifier) }
  const [collection, token = ''] = rest
  const route = `${method} ${collection ?? ''}${rest.length > 1 ? '/{id}' : ''}`
  if (identifier === '' || rest.length > 2) return { kind: 'unknown' }
  switch (route) {
    case 'PUT ':
      return withBody('v1Error', read, (body) => ({ ...person, action: 'identify', ...identifyFields(body) }))
    case 'DELETE ':
      return one('v1Error', { ...person, action: 'delete' })
    case 'POST suppress':
    case 'POST unsuppress':
      return one('v1Error', { ...person, action: collection as string })
    case 'POST events':
      return withBody('v1Errors', read, (body) => event(person.identifiers, body))
    case 'PUT devices':
      return withBody('v1Errors', read, ({ device }) => ({
        ...person,
        action: 'add_device',
        device: v2Device(device),
      }))
    case 'DELETE devices/{id}':
      return one('v1Errors', { ...person, action: 'delete_device', device: { token } })
    default:
      return { kind: 'unknown' }
  }
}

/** The value's shape decides the kind of identifier: `cio_…`, an email address, else an id. */
function identifiersOf(identifier: string): Record<string, string> {
  if (identifier.startsWith('cio_')) return { cio_id: identifier.slice('cio_'.length) }
  return identifier.includes('@') ? { email: identifier } : { id: identifier }
}

function identifyFields(body: Record<string, unknown>): Record<string, unknown> {
  const { _timestamp, cio_relationships, ...attributes } = body
  return {
    attributes,
    ...(_timestamp === undefined ? {} : { timestamp: _timestamp }),
    ...(cio_relationships === undefined ? {} : { cio_relationships }),
  }
}

/** The v2 form of an event. Any type other than `page` and `screen` is an event. */
function event(identifiers: Record<string, unknown>, body: Record<string, unknown>): Record<string, unknown> {
  const { type, name, id, timestamp, data } = body
  return {
    type: 'person',
    action: type === 'page' || type === 'screen' ? type : 'event',
    identifiers,
    name,
    ...(id === undefined ? {} : { id }),
    ...(timestamp === undefined ? {} : { timestamp }),
    ...(data === undefined ? {} : { attributes: data }),
  }
}

/** The v2 form of an anonymous event. An event without an anonymous id is an invite, which belongs to no known person. */
function anonymousEvent(body: Record<string, unknown>): Record<string, unknown> {
  return event({ anonymous_id: body.anonymous_id ?? '' }, body)
}

function pushMetric(body: Record<string, unknown>): Record<string, unknown> {
  const { delivery_id, event: name, device_id = '', timestamp } = body
  return {
    type: 'delivery',
    action: 'event',
    identifiers: { id: delivery_id },
    name,
    attributes: { device_token: device_id },
    ...(timestamp === undefined ? {} : { timestamp }),
  }
}

function v2Device(device: unknown): unknown {
  if (!isRecord(device)) return device
  const { id, ...others } = device
  return { token: id, ...others }
}

function withBody(
  form: V1Form,
  read: ReadBody,
  translate: (body: Record<string, unknown>) => Record<string, unknown>,
): V1Request {
  const body = read()
  if (!isRecord(body)) return malformed(form, invalid('', 'the body must be a JSON object'))
  // Only v1 limits the size of `data`. v2 limits the size of the operation.
  if (isRecord(body.data) && exceedsJsonBytes(body.data, publishedLimits.eventDataBytes))
    return malformed(form, invalid('data', `must be at most ${publishedLimits.eventDataBytes} bytes`))
  return one(form, translate(body))
}

function one(form: V1Form, operation: FakeOperation): V1Request {
  return { kind: 'operations', form, operations: [operation] }
}

function malformed(form: V1Form, refusal: Refusal): V1Request {
  return { kind: 'malformed', form, status: 400, refusal }
}

function decodePath(path: string): string[] | undefined {
  try {
    return path.split('/').map(decodeURIComponent)
  } catch {
    return undefined
  }
}
