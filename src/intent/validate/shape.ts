import { z } from 'zod'
import { hint, isPlainObject, join, kindOf, pathOf } from '../describe.ts'
import { fail, type ErrorContext } from '../errors.ts'
import type { Operation } from '../intent.ts'

export const text = z.string()
export const object = z.custom<Record<string, unknown>>(isPlainObject, 'a plain object')
/** A field with a check of its own. */
export const anyField = z.unknown().optional()

const person = { customerId: anyField, identifiers: anyField }
const event = { data: object.optional(), timestamp: anyField }
const message = fields({ message: object })

/**
 * Fields and types of each operation. Rules beyond the type (one identifier, bytes, seconds) have checks of their own, and
 * `checkJson` checks the contents of objects.
 */
const SHAPES: Readonly<Record<Operation, z.ZodObject>> = {
  identify: fields({ ...person, attributes: object.optional(), timestamp: anyField }),
  track: fields({ ...person, name: text, ...event }),
  trackPageView: fields({ ...person, path: text, ...event }),
  trackScreen: fields({ ...person, name: text, ...event }),
  addDevice: fields({
    ...person,
    deviceId: text,
    platform: z.enum(['ios', 'android']),
    data: object.optional(),
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
    deviceId: text.optional(),
    event: z.enum(['opened', 'converted', 'delivered']),
    timestamp: anyField,
  }),
  sendEmail: message,
  sendPush: message,
  sendSMS: message,
  sendInboxMessage: message,
  sendInApp: message,
  triggerBroadcast: fields({ broadcastId: anyField, data: object.optional(), recipients: object.optional() }),
  'pipelines.identify': message,
  'pipelines.track': message,
  'pipelines.page': message,
  'pipelines.screen': message,
  'pipelines.group': message,
  'pipelines.alias': message,
}

function fields(shape: z.ZodRawShape): z.ZodObject {
  return z.strictObject({ operation: text, ...shape })
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
  shape: z.ZodObject,
  value: Record<string, unknown>,
): void {
  const result = shape.safeParse(value)
  if (result.success) return

  const { issues } = result.error
  const unknown = issues.find((issue) => issue.code === 'unrecognized_keys')?.keys[0]
  if (unknown !== undefined) {
    const known = Object.keys(shape.shape)
    fail(context, join(prefix, pathOf([unknown])), `is not a known field: ${hint(unknown, known)}`)
  }
  const [issue] = issues
  const field = String(issue?.path[0] ?? '')
  const found = value[field]
  const missing = found === undefined ? 'is required, and ' : ''
  const got = found === undefined ? '' : `, got ${kindOf(found)}`
  fail(context, join(prefix, field), `${missing}must be ${expected(issue)}${got}`)
}

function expected(issue: z.core.$ZodIssue | undefined): string {
  switch (issue?.code) {
    case 'invalid_type':
      return `a ${issue.expected}`
    case 'invalid_value':
      return `one of ${issue.values.join(', ')}`
    default:
      return issue?.message ?? 'valid'
  }
}
