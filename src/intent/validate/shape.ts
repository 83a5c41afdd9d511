import { hint, isPlainObject, join, kindOf, pathOf } from '../describe.ts'
import { fail, type ErrorContext } from '../errors.ts'
import type { Operation } from '../intent.ts'

/** The type of a field. There is no library behind it: an app loads this code, and zod alone would take it 100 ms. */
export interface FieldType {
  /** For a message: `a string`. */
  readonly expected: string
  readonly accepts: (value: unknown) => boolean
}

/** The fields of an object. It has no others. */
export type Shape = Readonly<Record<string, FieldType>>

export const text: FieldType = { expected: 'a string', accepts: (value) => typeof value === 'string' }
export const flag: FieldType = { expected: 'a boolean', accepts: (value) => typeof value === 'boolean' }
export const object: FieldType = { expected: 'a plain object', accepts: isPlainObject }
/** A field with a check of its own. */
export const anyField: FieldType = { expected: 'any value', accepts: () => true }

/** The field may be missing. */
export function optional(type: FieldType): FieldType {
  return { ...type, accepts: (value) => value === undefined || type.accepts(value) }
}

function oneOf(...values: readonly string[]): FieldType {
  return {
    expected: `one of ${values.join(', ')}`,
    accepts: (value) => values.some((one) => one === value),
  }
}

const person = { customerId: anyField, identifiers: anyField }
const event = { data: optional(object), timestamp: anyField }
const message = fields({ message: object })

/**
 * Fields and types of each operation. Rules beyond the type (one identifier, bytes, seconds) have checks of their own, and
 * `checkJson` checks the contents of objects.
 */
const SHAPES: Readonly<Record<Operation, Shape>> = {
  identify: fields({ ...person, attributes: optional(object), timestamp: anyField }),
  track: fields({ ...person, name: text, ...event }),
  trackPageView: fields({ ...person, path: text, ...event }),
  trackScreen: fields({ ...person, name: text, ...event }),
  addDevice: fields({
    ...person,
    deviceId: text,
    platform: oneOf('ios', 'android'),
    data: optional(object),
  }),
  deleteDevice: fields({ ...person, deviceId: text }),
  suppress: fields(person),
  unsuppress: fields(person),
  destroy: fields(person),
  mergeCustomers: fields({ primary: object, secondary: object }),
  entity: fields({ entity: object }),
  trackAnonymous: fields({ anonymousId: text, name: text, ...event }),
  trackPush: fields({
    deliveryId: text,
    deviceId: optional(text),
    event: oneOf('opened', 'converted', 'delivered'),
    timestamp: anyField,
  }),
  sendEmail: message,
  sendPush: message,
  sendSMS: message,
  sendInboxMessage: message,
  sendInApp: message,
  triggerBroadcast: fields({ broadcastId: anyField, data: optional(object), recipients: optional(object) }),
  'pipelines.identify': message,
  'pipelines.track': message,
  'pipelines.page': message,
  'pipelines.screen': message,
  'pipelines.group': message,
  'pipelines.alias': message,
}

function fields(shape: Shape): Shape {
  return { operation: text, ...shape }
}

/** Checks an intent for unknown fields, missing fields, and fields of another type. */
export function checkShape(
  context: ErrorContext,
  operation: Operation,
  intent: Record<string, unknown>,
): void {
  checkObject(context, '', SHAPES[operation], intent)
}

/** Checks an object within an intent, at the path `prefix`, as {@link checkShape} does. */
export function checkObject(
  context: ErrorContext,
  prefix: string,
  shape: Shape,
  value: Record<string, unknown>,
): void {
  const unknown = Object.keys(value).find((field) => !Object.hasOwn(shape, field))
  if (unknown !== undefined) {
    const problem = `is not a known field: ${hint(unknown, Object.keys(shape))}`
    fail(context, join(prefix, pathOf([unknown])), problem)
  }
  for (const [field, { expected, accepts }] of Object.entries(shape)) {
    const found = value[field]
    if (accepts(found)) continue
    const problem =
      found === undefined
        ? `is required, and must be ${expected}`
        : `must be ${expected}, got ${kindOf(found)}`
    fail(context, join(prefix, field), problem)
  }
}
