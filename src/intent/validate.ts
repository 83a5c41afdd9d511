import { checkAttributes, checkIdentifyRelationships } from './attributes.ts'
import { closest, isPlainObject, kindOf } from './describe.ts'
import { checkEntity, checkMerge } from './entity.ts'
import { refuse, refuseSize, type Subject } from './errors.ts'
import type { Intent, Operation } from './intent.ts'
import { checkJson } from './json.ts'
import { MAX_EVENT_NAME_BYTES, MAX_OPERATION_BYTES } from './limits.ts'
import { isOperation, OPERATIONS, OPERATIONS_TO_COME } from './operations.ts'
import { checkPerson } from './person.ts'
import { checkShape } from './shape.ts'
import { wireBytes } from './size.ts'
import { checkBytes, checkNotBlank } from './text.ts'
import { checkTimestamp } from './timestamp.ts'

/**
 * Returns `value` itself, as an intent that Customer.io can take: the right fields, JSON that comes back from
 * `jsonb` as it went, and sizes within `limits.ts`.
 *
 * @param index Its index, where it is one of an array: error paths then begin with `[index]`.
 * @throws InvalidIntentError for the first thing that is wrong.
 */
export function validateIntent(value: unknown, index?: number): Intent {
  const fields = fieldsOf(value, index)
  const subject = { operation: operationOf(fields.operation, index), index }
  checkShape(subject, subject.operation, fields)
  const intent = fields as unknown as Intent
  checkFields(subject, intent)
  checkJson(subject, fields)
  checkContents(subject, intent)
  checkWireBytes(subject, intent)
  return intent
}

function fieldsOf(value: unknown, index: number | undefined): Record<string, unknown> {
  if (isPlainObject(value)) return value
  return refuse({ operation: 'intent', index }, '', `must be a plain object, got ${kindOf(value)}`)
}

function operationOf(operation: unknown, index: number | undefined): Operation {
  if (isOperation(operation)) return operation
  const subject = { operation: 'intent', index }
  if (typeof operation !== 'string') {
    refuse(subject, 'operation', `must be a string, got ${kindOf(operation)}`)
  }
  const all = `pass one of ${OPERATIONS.join(', ')}`
  if (OPERATIONS_TO_COME.includes(operation)) {
    refuse(subject, 'operation', `${operation} is not supported yet: ${all}`)
  }
  const meant = closest(operation, OPERATIONS)
  return refuse(
    subject,
    'operation',
    `is unknown: ${meant === undefined ? '' : `did you mean ${meant}? `}${all}`,
  )
}

function checkFields(subject: Subject, intent: Intent): void {
  switch (intent.operation) {
    case 'mergeCustomers':
      checkMerge(subject, intent)
      return
    case 'entity':
      return
    case 'identify':
      checkTimestamp(subject, 'timestamp', intent.timestamp)
      break
    case 'track':
    case 'trackScreen':
      checkTimestamp(subject, 'timestamp', intent.timestamp)
      checkEventName(subject, 'name', intent.name)
      break
    case 'trackPageView':
      checkTimestamp(subject, 'timestamp', intent.timestamp)
      checkEventName(subject, 'path', intent.path)
      break
    case 'addDevice':
      checkTimestamp(subject, 'data.last_used', intent.data?.last_used)
      checkNotBlank(subject, 'deviceId', intent.deviceId)
      break
    case 'deleteDevice':
      checkNotBlank(subject, 'deviceId', intent.deviceId)
  }
  checkPerson(subject, intent)
}

/** Checks that read into the payload, and therefore come after the walk that has found it to be JSON. */
function checkContents(subject: Subject, intent: Intent): void {
  if (intent.operation === 'entity') {
    checkEntity(subject, intent.entity)
  } else if (intent.operation === 'identify' && intent.attributes !== undefined) {
    checkAttributes(subject, 'attributes', intent.attributes)
    checkIdentifyRelationships(subject, 'attributes.cio_relationships', intent.attributes.cio_relationships)
  }
}

function checkEventName(subject: Subject, field: string, name: string): void {
  checkNotBlank(subject, field, name)
  checkBytes(subject, field, name, MAX_EVENT_NAME_BYTES)
}

function checkWireBytes(subject: Subject, intent: Intent): void {
  const actual = wireBytes(intent)
  if (actual <= MAX_OPERATION_BYTES) return
  refuseSize(
    subject,
    '',
    { limit: MAX_OPERATION_BYTES, actual },
    ' for one operation, envelope included: send less data, or a link to it',
  )
}
