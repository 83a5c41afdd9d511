import { checkAttributes, checkIdentifyRelationships } from './attributes.ts'
import { checkBroadcast } from './broadcast.ts'
import { closest, isPlainObject, kindOf } from '../describe.ts'
import { checkEntity, checkMerge } from './entity.ts'
import { refuse, refuseSize, type Subject } from '../errors.ts'
import type { Intent, Operation, Person, TrackAnonymousIntent, TrackPushIntent } from '../intent.ts'
import { checkJson, isSound } from './json.ts'
import { MAX_EVENT_NAME_BYTES, MAX_WIRE_BYTES } from '../limits.ts'
import { checkMessage } from './message.ts'
import { apiOf, isOperation, OPERATIONS } from '../operations.ts'
import { checkPerson, checkTextId } from './person.ts'
import { checkPipelines } from './pipelines-message.ts'
import { checkShape } from './shape.ts'
import { wireBytes, wireBytesAtMost } from '../size.ts'
import { checkBytes, checkNotBlank } from './text.ts'
import { checkTimestamp } from './timestamp.ts'

/**
 * Returns `value` itself, as an intent that Customer.io can take: the right fields, JSON that comes back from
 * `jsonb` as it went, and sizes within `limits.ts`.
 *
 * @param index Its index, where it is one of an array: error paths then begin with `[index]`.
 * @param payloadBytes For what was read from `jsonb`, whose texts are not looked through: bytes of UTF-8 of its fields other
 * than `operation` as JSON, or more. If they are few enough it is not measured.
 * @throws InvalidIntentError for the first thing that is wrong.
 */
export function validateIntent(value: unknown, index?: number, payloadBytes?: number): Intent {
  const fields = fieldsOf(value, index)
  const subject = { operation: operationOf(fields.operation, index), index }
  checkShape(subject, subject.operation, fields)
  const intent = fields as unknown as Intent
  checkFields(subject, intent)
  if (payloadBytes === undefined || !isSound(fields)) {
    checkJson(subject, fields, MAX_WIRE_BYTES[apiOf(intent.operation)])
  }
  checkContents(subject, intent)
  checkWireBytes(subject, intent, payloadBytes)
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
  const meant = closest(operation, OPERATIONS)
  const guess = meant === undefined ? '' : `did you mean ${meant}? `
  return refuse(subject, 'operation', `is unknown: ${guess}pass one of ${OPERATIONS.join(', ')}`)
}

function checkFields(subject: Subject, intent: Intent): void {
  switch (intent.operation) {
    case 'mergeCustomers':
      checkMerge(subject, intent)
      break
    case 'entity':
      break
    case 'trackAnonymous':
      checkAnonymous(subject, intent)
      break
    case 'trackPush':
      checkPush(subject, intent)
      break
    case 'sendEmail':
    case 'sendPush':
    case 'sendSMS':
    case 'sendInboxMessage':
    case 'sendInApp':
      checkMessage(subject, intent)
      break
    case 'triggerBroadcast':
      checkBroadcast(subject, intent)
      break
    case 'pipelines.identify':
    case 'pipelines.track':
    case 'pipelines.page':
    case 'pipelines.screen':
    case 'pipelines.group':
    case 'pipelines.alias':
      checkPipelines(subject, intent)
      break
    default:
      checkPersonal(subject, intent)
  }
}

function checkPersonal(subject: Subject, intent: Extract<Intent, Person>): void {
  switch (intent.operation) {
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

/** An invite has no id: it goes to the address that its data names. */
function checkAnonymous(
  subject: Subject,
  { anonymousId, name, data, timestamp }: TrackAnonymousIntent,
): void {
  checkTimestamp(subject, 'timestamp', timestamp)
  checkEventName(subject, 'name', name)
  if (anonymousId !== '') {
    checkTextId(subject, 'anonymousId', anonymousId)
  } else if (typeof data?.recipient !== 'string') {
    const got = kindOf(data?.recipient)
    refuse(subject, 'data.recipient', `must be an email address where anonymousId is empty, got ${got}`)
  } else {
    checkTextId(subject, 'data.recipient', data.recipient)
  }
}

function checkPush(subject: Subject, { deliveryId, deviceId, timestamp }: TrackPushIntent): void {
  checkTimestamp(subject, 'timestamp', timestamp)
  checkTextId(subject, 'deliveryId', deliveryId)
  if (deviceId !== undefined) checkNotBlank(subject, 'deviceId', deviceId)
}

function checkWireBytes(subject: Subject, intent: Intent, payloadBytes = Number.POSITIVE_INFINITY): void {
  const limit = MAX_WIRE_BYTES[apiOf(intent.operation)]
  if (wireBytesAtMost(intent.operation, payloadBytes) <= limit) return
  const actual = wireBytes(intent)
  if (actual <= limit) return
  refuseSize(
    subject,
    '',
    { limit, actual },
    ' for one operation, envelope included: send less data, or a link to it',
  )
}
