import { kindOf } from '../describe.ts'
import { fail, type ErrorContext } from '../errors.ts'
import { checkId, checkTextId } from './person.ts'
import type { PipelinesIntent } from '../pipelines-intents.ts'
import { anyField, checkObject, object, optional, type Shape, text } from './shape.ts'
import { checkNotBlank } from './text.ts'

const data = optional(object)
const optionalString = optional(text)
const common = { messageId: anyField, timestamp: anyField, context: data, integrations: data }
const person = { userId: anyField, anonymousId: anyField, ...common }
const view = { ...person, name: optionalString, category: optionalString, properties: data }

/** Fields and types of each call: those of customerio-node's payloads without `messageId`. */
const SHAPES: Readonly<Record<PipelinesIntent['operation'], Shape>> = {
  'pipelines.identify': { ...person, traits: data },
  'pipelines.track': { ...person, event: text, properties: data },
  'pipelines.page': view,
  'pipelines.screen': view,
  'pipelines.group': { ...person, groupId: text, traits: data },
  'pipelines.alias': { userId: anyField, previousId: anyField, ...common },
}

/** Checks that a call names a person and has known fields only. */
export function checkPipelines(context: ErrorContext, { operation, message }: PipelinesIntent): void {
  const fields = message as Record<string, unknown>
  if (fields.messageId !== undefined) {
    fail(context, 'message.messageId', "is the intent's own id: leave it out")
  }
  checkObject(context, 'message', SHAPES[operation], fields)
  checkIsoTime(context, 'message.timestamp', fields.timestamp)
  if (operation === 'pipelines.alias') {
    checkRequiredId(context, 'message.userId', fields.userId)
    checkRequiredId(context, 'message.previousId', fields.previousId)
    return
  }
  checkAnyPerson(context, fields)
  if (operation === 'pipelines.track') checkNotBlank(context, 'message.event', message.event)
  if (operation === 'pipelines.group') checkTextId(context, 'message.groupId', message.groupId)
}

function checkAnyPerson(context: ErrorContext, { userId, anonymousId }: Record<string, unknown>): void {
  if (userId === undefined && anonymousId === undefined) {
    fail(context, 'message.userId', 'is required, or anonymousId')
  }
  if (userId !== undefined) checkId(context, 'message.userId', userId)
  if (anonymousId !== undefined) checkTextId(context, 'message.anonymousId', anonymousId)
}

function checkRequiredId(context: ErrorContext, field: string, id: unknown): void {
  if (id === undefined) fail(context, field, 'is required, and must be a string or a whole number')
  checkId(context, field, id)
}

const ISO_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)$/

/** Checks that a time is ISO 8601 text. Pipelines takes such text, the Track API takes seconds. */
function checkIsoTime(context: ErrorContext, field: string, value: unknown): void {
  if (value === undefined) return
  const must = 'must be an ISO 8601 time with a zone'
  if (typeof value !== 'string') {
    const advice = value instanceof Date ? ': pass date.toISOString()' : ''
    fail(context, field, `${must}, got ${kindOf(value)}${advice}`)
  }
  if (!ISO_TIME.test(value) || Number.isNaN(Date.parse(value)))
    fail(context, field, `${must}, got other text`)
}
