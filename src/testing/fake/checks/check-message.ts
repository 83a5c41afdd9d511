import {
  type FakeOperation,
  invalid,
  isRecord,
  type Refusal,
  required,
  tooLarge,
} from '../model/operation.ts'
import { isMessageKind } from '../routes/pipelines-routes.ts'
import { exceedsJsonBytes, publishedLimits } from '../model/published-limits.ts'

type Message = Readonly<Record<string, unknown>>

const dateTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/i
const times = ['timestamp', 'originalTimestamp', 'sentAt']
const objects = ['properties', 'traits', 'context', 'integrations']
/** These events are about a sent message, so they need no person. */
const eventsWithoutPerson = new Set<unknown>(['Report Delivery Event', 'Report Content Event'])

/** Checks the published shape and the size of one message. */
export function checkMessage({ kind, body }: FakeOperation): Refusal | undefined {
  if (!isRecord(body)) return invalid('', 'a message must be an object')
  if (exceedsJsonBytes(body, publishedLimits.pipelinesMessageBytes))
    return tooLarge('', `a message must be at most ${publishedLimits.pipelinesMessageBytes} bytes`)
  if (!isMessageKind(kind)) return invalid('type', 'must be identify, track, page, screen, group or alias')
  if (body.type !== undefined && body.type !== kind) return invalid('type', `must be ${kind} here`)
  return checkPerson(kind, body) ?? checkFieldsOfKind(kind, body) ?? checkCommonFields(body)
}

/** The person's key: `userId:u1` or `anonymousId:…`. Without both: `groupId:…`, `email:…` or `unknown`. */
export function messageKeyOf(body: Message): string {
  for (const field of ['userId', 'anonymousId', 'groupId'])
    if (isFilled(body[field])) return `${field}:${String(body[field])}`
  const { traits } = body
  return isRecord(traits) && typeof traits.email === 'string'
    ? `email:${traits.email.toLowerCase()}`
    : 'unknown'
}

function checkPerson(kind: string | undefined, body: Message): Refusal | undefined {
  for (const field of ['userId', 'anonymousId', 'groupId', 'previousId'])
    if (!isText(body[field])) return invalid(field, 'must be a string')
  if (kind === 'alias') return checkFilled(body, 'userId') ?? checkFilled(body, 'previousId')
  if (isFilled(body.userId) || isFilled(body.anonymousId)) return undefined
  if (kind === 'track' && (isFilled(body.groupId) || eventsWithoutPerson.has(body.event))) return undefined
  if (kind === 'identify' && isIdentifiedByEmail(body)) return undefined
  return invalid('userId', 'or anonymousId is required')
}

/** Whether the email trait identifies the person, and `userId` or `anonymousId` is an empty string. */
function isIdentifiedByEmail({ userId, anonymousId, traits }: Message): boolean {
  const given = userId === '' || anonymousId === ''
  return given && isRecord(traits) && typeof traits.email === 'string' && traits.email.includes('@')
}

function checkFieldsOfKind(kind: string | undefined, body: Message): Refusal | undefined {
  if (kind === 'track') {
    if (body.event === undefined) return required('event')
    if (typeof body.event !== 'string' || body.event.trim() === '')
      return invalid('event', 'must be a string that is not empty')
  }
  if (kind === 'group') return checkFilled(body, 'groupId')
  if (kind !== 'page' && kind !== 'screen') return undefined
  for (const field of ['name', 'category'])
    if (body[field] !== undefined && typeof body[field] !== 'string')
      return invalid(field, 'must be a string')
  return undefined
}

function checkCommonFields(body: Message): Refusal | undefined {
  for (const field of objects)
    if (body[field] !== undefined && !isRecord(body[field])) return invalid(field, 'must be an object')
  for (const [name, enabled] of Object.entries(body.integrations ?? {}))
    if (typeof enabled !== 'boolean') return invalid(`integrations.${name}`, 'must be a boolean')
  for (const field of times)
    if (body[field] !== undefined && !isDateTime(body[field]))
      return invalid(field, 'must be an ISO 8601 date and time')
  const { messageId } = body
  if (messageId !== undefined && (typeof messageId !== 'string' || messageId === ''))
    return invalid('messageId', 'must be a string that is not empty')
  return undefined
}

function isDateTime(value: unknown): boolean {
  return typeof value === 'string' && dateTime.test(value) && !Number.isNaN(Date.parse(value))
}

function checkFilled(body: Message, field: string): Refusal | undefined {
  return isFilled(body[field]) ? undefined : required(field)
}

/** Customer.io's description requires a string. The fake also accepts a whole number: customerio-node sends one. */
function isText(value: unknown): boolean {
  return value === undefined || typeof value === 'string' || Number.isSafeInteger(value)
}

function isFilled(value: unknown): boolean {
  return value !== undefined && String(value).trim() !== ''
}
