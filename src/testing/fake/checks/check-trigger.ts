import type { FakeAudience } from '../model/app-request.ts'
import { invalid, isRecord, type Refusal, required } from '../model/operation.ts'
import { exceedsJsonBytes, publishedLimits } from '../model/published-limits.ts'

type Body = Readonly<Record<string, unknown>>

const audiences = ['recipients', 'ids', 'emails', 'per_user_data', 'data_file_url'] as const
const flags = ['email_add_duplicates', 'email_ignore_missing', 'id_ignore_missing']

/** How the trigger names its recipients: the first of `audiences` that the body has. */
export function audienceOf(body: Body): FakeAudience {
  return audiences.find((audience) => body[audience] !== undefined) ?? 'default'
}

/** Checks the shape of a broadcast's trigger, but not that the recipients exist. */
export function checkTrigger(body: Body): Refusal | undefined {
  if (body.data !== undefined && !isRecord(body.data)) return invalid('data', 'must be an object')
  if (exceedsJsonBytes(body.data ?? {}, publishedLimits.broadcastDataBytes))
    return invalid('data', `must be at most ${publishedLimits.broadcastDataBytes} bytes`)
  for (const flag of flags)
    if (body[flag] !== undefined && typeof body[flag] !== 'boolean') return invalid(flag, 'must be a boolean')
  const given = audiences.filter((audience) => body[audience] !== undefined)
  if (given.length > 1) return invalid(String(given[1]), `must not be combined with ${given[0]}`)
  const [audience] = given
  return audience === undefined ? undefined : checkAudience(audience, body[audience])
}

function checkAudience(audience: (typeof audiences)[number], value: unknown): Refusal | undefined {
  switch (audience) {
    case 'recipients':
      return checkFilter(value, 'recipients')
    case 'ids':
      return checkList(value, 'ids', isId, 'must be the id of a person')
    case 'emails':
      return checkList(value, 'emails', isEmail, 'is not an email address')
    case 'per_user_data':
      return checkList(value, 'per_user_data', isPersonWithData, 'must be { id or email, data }')
    case 'data_file_url':
      return isUrl(value) ? undefined : invalid('data_file_url', 'must be a URL')
  }
}

function checkList(
  value: unknown,
  field: string,
  accepts: (item: unknown) => boolean,
  message: string,
): Refusal | undefined {
  if (!Array.isArray(value)) return invalid(field, 'must be an array')
  if (value.length > publishedLimits.broadcastRecipients)
    return invalid(field, `must have at most ${publishedLimits.broadcastRecipients} entries`)
  const wrong = value.findIndex((item) => !accepts(item))
  return wrong === -1 ? undefined : invalid(`${field}[${wrong}]`, message)
}

function isId(value: unknown): boolean {
  return (typeof value === 'string' && value !== '') || Number.isSafeInteger(value)
}

function isEmail(value: unknown): boolean {
  return typeof value === 'string' && value.includes('@')
}

function isPersonWithData(value: unknown): boolean {
  if (!isRecord(value)) return false
  const { id, email, data } = value
  const named = id === undefined ? isEmail(email) : email === undefined && isId(id)
  return named && (data === undefined || isRecord(data))
}

function isUrl(value: unknown): boolean {
  return typeof value === 'string' && /^https?:/.test(value) && URL.canParse(value)
}

/** Checks a filter: one of `and`, `or`, `not`, `segment`, `attribute`. The first three contain further filters. */
function checkFilter(filter: unknown, field: string): Refusal | undefined {
  if (!isRecord(filter)) return invalid(field, 'must be an object')
  const [name, ...others] = Object.keys(filter)
  if (name === undefined || others.length > 0) return invalid(field, 'must have exactly one property')
  const value = filter[name]
  const path = `${field}.${name}`
  switch (name) {
    case 'and':
    case 'or':
      if (!Array.isArray(value)) return invalid(path, 'must be an array')
      for (const [index, each] of value.entries()) {
        const refusal = checkFilter(each, `${path}[${index}]`)
        if (refusal !== undefined) return refusal
      }
      return undefined
    case 'not':
      return checkFilter(value, path)
    case 'segment':
      return isRecord(value) && Number.isSafeInteger(value.id)
        ? undefined
        : invalid(`${path}.id`, 'must be the number of a segment')
    case 'attribute':
      return checkAttributeFilter(value, path)
    default:
      return invalid(path, 'is not a filter')
  }
}

function checkAttributeFilter(value: unknown, path: string): Refusal | undefined {
  if (!isRecord(value)) return invalid(path, 'must be an object')
  if (typeof value.field !== 'string' || value.field === '') return required(`${path}.field`)
  if (value.operator !== 'eq' && value.operator !== 'exists')
    return invalid(`${path}.operator`, 'must be eq or exists')
  if (value.operator === 'eq' && value.value === undefined) return required(`${path}.value`)
  return undefined
}
