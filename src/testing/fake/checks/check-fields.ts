import { invalid, isRecord, type Refusal, required } from '../model/operation.ts'
import { exceedsBytes, exceedsJsonBytes, publishedLimits } from '../model/published-limits.ts'

/** A timestamp from this value on is taken for milliseconds. Seconds reach it in the year 5138, milliseconds did in 1973. */
const firstNonSeconds = 100_000_000_000

// The ULID alphabet has no I, L, O, U. 26 characters of 5 bits hold 130 bits, and a ULID has 128: the first is at most 7.
const ulid = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/i

const platforms = new Set<unknown>(['ios', 'android'])

export function checkTimestamp(value: unknown, field: string): Refusal | undefined {
  if (value === undefined) return undefined
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0)
    return invalid(field, 'must be a Unix time in whole seconds')
  if (value >= firstNonSeconds) return invalid(field, 'must be in seconds, not milliseconds')
  return undefined
}

export function checkUlid(value: unknown, field: string): Refusal | undefined {
  if (value === undefined) return undefined
  if (typeof value !== 'string' || !ulid.test(value)) return invalid(field, 'must be a valid ULID')
  return undefined
}

export function checkEventName(value: unknown): Refusal | undefined {
  if (value === undefined) return required('name')
  if (typeof value !== 'string' || value.trim() === '')
    return invalid('name', 'must be a string that is not empty')
  if (exceedsBytes(value, publishedLimits.eventNameBytes))
    return invalid('name', `must be at most ${publishedLimits.eventNameBytes} bytes`)
  return undefined
}

/** Attributes of a person, an object, a relationship or a device. */
export function checkAttributes(attributes: unknown, field: string): Refusal | undefined {
  if (attributes === undefined) return undefined
  if (!isRecord(attributes)) return invalid(field, 'must be an object')
  let count = 0
  for (const name in attributes) {
    count += 1
    if (name === '') return invalid(field, 'an attribute name must not be empty')
    if (exceedsBytes(name, publishedLimits.attributeNameBytes))
      return invalid(field, `an attribute name must be at most ${publishedLimits.attributeNameBytes} bytes`)
    // The topics of the subscription centre share this attribute, so the limit of one attribute does not apply.
    if (name !== 'cio_subscription_preferences' && valueExceeds(attributes[name]))
      return invalid(`${field}.${name}`, `must be at most ${publishedLimits.attributeValueBytes} bytes`)
  }
  if (count > publishedLimits.attributes)
    return invalid(field, `must have at most ${publishedLimits.attributes} attributes`)
  return undefined
}

function valueExceeds(value: unknown): boolean {
  if (typeof value === 'string') return exceedsBytes(value, publishedLimits.attributeValueBytes)
  return exceedsJsonBytes(value, publishedLimits.attributeValueBytes)
}

export function checkDevice(device: unknown): Refusal | undefined {
  const refusal = checkDeviceToken(device)
  if (refusal !== undefined || !isRecord(device)) return refusal
  if (device.platform === undefined) return required('device.platform')
  if (!platforms.has(device.platform)) return invalid('device.platform', 'must be ios or android')
  return (
    checkTimestamp(device.last_used, 'device.last_used') ??
    checkAttributes(device.attributes, 'device.attributes')
  )
}

export function checkDeviceToken(device: unknown): Refusal | undefined {
  if (device === undefined) return required('device')
  if (!isRecord(device)) return invalid('device', 'must be an object')
  if (device.token === undefined) return required('device.token')
  if (typeof device.token !== 'string' || device.token === '')
    return invalid('device.token', 'must be a string that is not empty')
  return undefined
}

/**
 * Checks `cio_relationships`, an array of `{ identifiers, relationship_attributes? }`. The identifiers are an object's in
 * an operation on a person, and a person's in an operation on an object.
 */
export function checkRelationships(
  relationships: unknown,
  checkIdentifiers: (identifiers: unknown, field: string) => Refusal | undefined,
): Refusal | undefined {
  if (!Array.isArray(relationships)) return invalid('cio_relationships', 'must be an array')
  for (const [index, relationship] of relationships.entries()) {
    const field = `cio_relationships[${index}]`
    if (!isRecord(relationship)) return invalid(field, 'must be an object')
    const refusal =
      checkIdentifiers(relationship.identifiers, `${field}.identifiers`) ??
      checkAttributes(relationship.relationship_attributes, `${field}.relationship_attributes`)
    if (refusal !== undefined) return refusal
  }
  return undefined
}
