import { z } from 'zod'
import { kindOf } from '../describe.ts'
import { refuse, type Subject } from '../errors.ts'
import { checkId, checkTextId } from './person.ts'
import type { PipelinesIntent } from '../pipelines-intents.ts'
import { checkObject, later, object, text } from './shape.ts'
import { checkNotBlank } from './text.ts'

const data = object.optional()
const words = text.optional()
const common = { messageId: z.undefined().optional(), timestamp: later, context: data, integrations: data }
const person = { userId: later, anonymousId: later, ...common }
const view = { ...person, name: words, category: words, properties: data }

/** The fields of each call and their types: those of customerio-node's payloads but `messageId`. */
const SHAPES: Readonly<Record<PipelinesIntent['operation'], z.ZodObject>> = {
  'pipelines.identify': z.strictObject({ ...person, traits: data }),
  'pipelines.track': z.strictObject({ ...person, event: text, properties: data }),
  'pipelines.page': z.strictObject(view),
  'pipelines.screen': z.strictObject(view),
  'pipelines.group': z.strictObject({ ...person, groupId: text, traits: data }),
  'pipelines.alias': z.strictObject({ userId: later, previousId: later, ...common }),
}

/** Refuses a call that names nobody, or has fields that Pipelines does not know. */
export function checkPipelines(subject: Subject, { operation, message }: PipelinesIntent): void {
  const fields = message as Record<string, unknown>
  if (fields.messageId !== undefined) {
    refuse(subject, 'message.messageId', "is the intent's own id: leave it out")
  }
  checkObject(subject, 'message', SHAPES[operation], fields)
  checkIsoTime(subject, 'message.timestamp', fields.timestamp)
  if (operation === 'pipelines.alias') {
    checkRequiredId(subject, 'message.userId', fields.userId)
    checkRequiredId(subject, 'message.previousId', fields.previousId)
    return
  }
  checkSomebody(subject, fields)
  if (operation === 'pipelines.track') checkNotBlank(subject, 'message.event', message.event)
  if (operation === 'pipelines.group') checkTextId(subject, 'message.groupId', message.groupId)
}

function checkSomebody(subject: Subject, { userId, anonymousId }: Record<string, unknown>): void {
  if (userId === undefined && anonymousId === undefined) {
    refuse(subject, 'message.userId', 'is required, or anonymousId')
  }
  if (userId !== undefined) checkId(subject, 'message.userId', userId)
  if (anonymousId !== undefined) checkTextId(subject, 'message.anonymousId', anonymousId)
}

function checkRequiredId(subject: Subject, field: string, id: unknown): void {
  if (id === undefined) refuse(subject, field, 'is required, and must be a string or a whole number')
  checkId(subject, field, id)
}

const ISO_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)$/

/** Pipelines takes a time as text; the Track API takes one in seconds. */
function checkIsoTime(subject: Subject, field: string, value: unknown): void {
  if (value === undefined) return
  const must = 'must be an ISO 8601 time with a zone'
  if (typeof value !== 'string') {
    const advice = value instanceof Date ? ': pass date.toISOString()' : ''
    refuse(subject, field, `${must}, got ${kindOf(value)}${advice}`)
  }
  if (!ISO_TIME.test(value) || Number.isNaN(Date.parse(value)))
    refuse(subject, field, `${must}, got other text`)
}
