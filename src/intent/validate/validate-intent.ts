import { checkAttributes, checkIdentifyRelationships } from './attributes.ts'
import { checkBroadcast } from './broadcast.ts'
import { closest, isPlainObject, kindOf } from '../describe.ts'
import { checkEntity, checkMerge } from './entity.ts'
import { fail, failSize, type ErrorContext } from '../errors.ts'
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
 * Checks that Customer.io would take an intent: known fields, JSON that `jsonb` stores without loss, and sizes within
 * `limits.ts`.
 *
 * @param index Index in an array of intents. Error paths then begin with `[index]`.
 * @param payloadBytes Only for an intent that was read from `jsonb`: bytes of UTF-8 of its payload as JSON, or an upper
 * bound. The intent's texts are then not checked again, and it is measured only if the bound is over the limit.
 * @returns `value` itself.
 * @throws {InvalidIntentError} for the first problem.
 */
export function validateIntent(value: unknown, index?: number, payloadBytes?: number): Intent {
  const fields = fieldsOf(value, index)
  const context = { operation: operationOf(fields.operation, index), index }
  checkShape(context, context.operation, fields)
  const intent = fields as unknown as Intent
  checkFields(context, intent)
  if (payloadBytes === undefined || !isSound(fields)) {
    checkJson(context, fields, MAX_WIRE_BYTES[apiOf(intent.operation)])
  }
  checkContents(context, intent)
  checkWireBytes(context, intent, payloadBytes)
  return intent
}

function fieldsOf(value: unknown, index: number | undefined): Record<string, unknown> {
  if (isPlainObject(value)) return value
  return fail({ operation: 'intent', index }, '', `must be a plain object, got ${kindOf(value)}`)
}

function operationOf(operation: unknown, index: number | undefined): Operation {
  if (isOperation(operation)) return operation
  const context = { operation: 'intent', index }
  if (typeof operation !== 'string') {
    fail(context, 'operation', `must be a string, got ${kindOf(operation)}`)
  }
  const meant = closest(operation, OPERATIONS)
  const guess = meant === undefined ? '' : `did you mean ${meant}? `
  return fail(context, 'operation', `is unknown: ${guess}pass one of ${OPERATIONS.join(', ')}`)
}

function checkFields(context: ErrorContext, intent: Intent): void {
  switch (intent.operation) {
    case 'mergeCustomers':
      checkMerge(context, intent)
      break
    case 'entity':
      break
    case 'trackAnonymous':
      checkAnonymous(context, intent)
      break
    case 'trackPush':
      checkPush(context, intent)
      break
    case 'sendEmail':
    case 'sendPush':
    case 'sendSMS':
    case 'sendInboxMessage':
    case 'sendInApp':
      checkMessage(context, intent)
      break
    case 'triggerBroadcast':
      checkBroadcast(context, intent)
      break
    case 'pipelines.identify':
    case 'pipelines.track':
    case 'pipelines.page':
    case 'pipelines.screen':
    case 'pipelines.group':
    case 'pipelines.alias':
      checkPipelines(context, intent)
      break
    default:
      checkPersonal(context, intent)
  }
}

function checkPersonal(context: ErrorContext, intent: Extract<Intent, Person>): void {
  switch (intent.operation) {
    case 'identify':
      checkTimestamp(context, 'timestamp', intent.timestamp)
      break
    case 'track':
    case 'trackScreen':
      checkTimestamp(context, 'timestamp', intent.timestamp)
      checkEventName(context, 'name', intent.name)
      break
    case 'trackPageView':
      checkTimestamp(context, 'timestamp', intent.timestamp)
      checkEventName(context, 'path', intent.path)
      break
    case 'addDevice':
      checkTimestamp(context, 'data.last_used', intent.data?.last_used)
      checkNotBlank(context, 'deviceId', intent.deviceId)
      break
    case 'deleteDevice':
      checkNotBlank(context, 'deviceId', intent.deviceId)
  }
  checkPerson(context, intent)
}

/** Runs the checks that read objects of the payload. They come last, because the payload must be known to be JSON. */
function checkContents(context: ErrorContext, intent: Intent): void {
  if (intent.operation === 'entity') {
    checkEntity(context, intent.entity)
  } else if (intent.operation === 'identify' && intent.attributes !== undefined) {
    checkAttributes(context, 'attributes', intent.attributes)
    checkIdentifyRelationships(context, 'attributes.cio_relationships', intent.attributes.cio_relationships)
  }
}

function checkEventName(context: ErrorContext, field: string, name: string): void {
  checkNotBlank(context, field, name)
  checkBytes(context, field, name, MAX_EVENT_NAME_BYTES)
}

/** Checks an anonymous event. An invite has no id: it goes to the address in its data. */
function checkAnonymous(
  context: ErrorContext,
  { anonymousId, name, data, timestamp }: TrackAnonymousIntent,
): void {
  checkTimestamp(context, 'timestamp', timestamp)
  checkEventName(context, 'name', name)
  if (anonymousId !== '') {
    checkTextId(context, 'anonymousId', anonymousId)
  } else if (typeof data?.recipient !== 'string') {
    const got = kindOf(data?.recipient)
    fail(context, 'data.recipient', `must be an email address if anonymousId is empty, got ${got}`)
  } else {
    checkTextId(context, 'data.recipient', data.recipient)
  }
}

function checkPush(context: ErrorContext, { deliveryId, deviceId, timestamp }: TrackPushIntent): void {
  checkTimestamp(context, 'timestamp', timestamp)
  checkTextId(context, 'deliveryId', deliveryId)
  if (deviceId !== undefined) checkNotBlank(context, 'deviceId', deviceId)
}

function checkWireBytes(
  context: ErrorContext,
  intent: Intent,
  payloadBytes = Number.POSITIVE_INFINITY,
): void {
  const limit = MAX_WIRE_BYTES[apiOf(intent.operation)]
  if (wireBytesAtMost(intent.operation, payloadBytes) <= limit) return
  const actual = wireBytes(intent)
  if (actual <= limit) return
  failSize(
    context,
    '',
    { limit, actual },
    ' for one operation, envelope included: send less data, or a link to it',
  )
}
