import { z } from 'zod'
import { hint, isPlainObject, kindOf, pathOf } from './describe.ts'
import { refuse, type Subject } from './errors.ts'
import type { Operation } from './intent.ts'

/**
 * The fields of each operation and their types. What a type cannot say (one identifier, bytes, seconds) is
 * checked after, field by field; contents of objects are checked by one walk.
 */
const text = z.string()
const object = z.custom<Record<string, unknown>>(isPlainObject, 'a plain object')
const later = z.unknown().optional()

const person = { customerId: later, identifiers: later }
const event = { data: object.optional(), timestamp: later }

const SHAPES: Readonly<Record<Operation, z.ZodObject>> = {
  identify: fields({ ...person, attributes: object.optional(), timestamp: later }),
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
}

function fields(shape: z.ZodRawShape): z.ZodObject {
  return z.strictObject({ operation: text, ...shape })
}

/** Refuses unknown fields by name, missing fields, and fields of another type. */
export function checkShape(subject: Subject, operation: Operation, intent: Record<string, unknown>): void {
  const shape = SHAPES[operation]
  const result = shape.safeParse(intent)
  if (result.success) return

  const { issues } = result.error
  const unknown = issues.find((issue) => issue.code === 'unrecognized_keys')?.keys[0]
  if (unknown !== undefined) {
    refuse(subject, pathOf([unknown]), `is not a known field: ${hint(unknown, Object.keys(shape.shape))}`)
  }
  const [issue] = issues
  const field = String(issue?.path[0] ?? '')
  const value = intent[field]
  const missing = value === undefined ? 'is required, and ' : ''
  const got = value === undefined ? '' : `, got ${kindOf(value)}`
  refuse(subject, field, `${missing}must be ${expected(issue)}${got}`)
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
