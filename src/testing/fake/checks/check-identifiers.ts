import { invalid, isRecord, type Refusal, required } from '../model/operation.ts'
import { exceedsBytes, publishedLimits } from '../model/published-limits.ts'

const personKinds = new Set(['id', 'email', 'phone', 'cio_id'])
const mergeKinds = new Set(['id', 'email', 'cio_id'])
/** Customer.io's description of v2 has no anonymous events, but its partners send them. */
const eventKinds = new Set([...personKinds, 'anonymous_id'])
const anonymousKinds = new Set(['anonymous_id'])

const e164 = /^\+\d{1,15}$/
const digits = /^\d+$/

export function checkPersonIdentifiers(identifiers: unknown, field: string): Refusal | undefined {
  return checkOneOf(identifiers, field, personKinds)
}

export function checkEventIdentifiers(identifiers: unknown, field: string): Refusal | undefined {
  return checkOneOf(identifiers, field, eventKinds)
}

/** Checks the identifier of a person in a merge, a relationship of an object, or a message: an id, email or cio_id. */
export function checkMergeIdentifiers(identifiers: unknown, field: string): Refusal | undefined {
  return checkOneOf(identifiers, field, mergeKinds)
}

export function checkAnonymousIdentifiers(identifiers: unknown, field: string): Refusal | undefined {
  return checkOneOf(identifiers, field, anonymousKinds)
}

export function checkObjectIdentifiers(identifiers: unknown, field: string): Refusal | undefined {
  if (identifiers === undefined) return required(field)
  if (!isRecord(identifiers)) return invalid(field, 'must be an object')
  const { object_type_id, object_id, cio_object_id, ...others } = identifiers
  if (Object.keys(others).length > 0)
    return invalid(field, 'takes object_type_id and object_id, or cio_object_id')
  if (cio_object_id !== undefined) {
    if (object_type_id !== undefined || object_id !== undefined)
      return invalid(field, 'takes object_type_id and object_id, or cio_object_id, not both')
    return checkValue(cio_object_id, `${field}.cio_object_id`)
  }
  if (object_type_id === undefined) return required(`${field}.object_type_id`)
  if (!digits.test(String(object_type_id)))
    return invalid(`${field}.object_type_id`, 'must be an integer written as a string')
  if (object_id === undefined) return required(`${field}.object_id`)
  return checkValue(object_id, `${field}.object_id`)
}

function checkOneOf(identifiers: unknown, field: string, kinds: ReadonlySet<string>): Refusal | undefined {
  if (identifiers === undefined) return required(field)
  if (!isRecord(identifiers)) return invalid(field, 'must be an object')
  let kind: string | undefined
  for (const name in identifiers) {
    if (!kinds.has(name)) return invalid(field, `${name} is not an identifier here`)
    if (kind !== undefined) return invalid(field, 'must have exactly one identifier')
    kind = name
  }
  if (kind === undefined) return invalid(field, 'must have exactly one identifier')
  const value = identifiers[kind]
  // An empty anonymous id marks an invite event, which belongs to no known person.
  if (kind === 'anonymous_id' && value === '') return undefined
  const refusal = checkValue(value, `${field}.${kind}`)
  if (refusal !== undefined) return refusal
  if (kind === 'email' && !String(value).includes('@'))
    return invalid(`${field}.email`, 'is not an email address')
  if (kind === 'phone' && !e164.test(String(value)))
    return invalid(`${field}.phone`, 'is not in E.164 format')
  return undefined
}

/** Customer.io's API description requires a string. The fake also accepts a whole number: 42 is the same as '42'. */
function checkValue(value: unknown, field: string): Refusal | undefined {
  if (Number.isSafeInteger(value)) return undefined
  if (typeof value !== 'string') return invalid(field, 'must be a string')
  if (value === '') return invalid(field, 'must not be empty')
  if (exceedsBytes(value, publishedLimits.identifierBytes))
    return invalid(field, `must be at most ${publishedLimits.identifierBytes} bytes`)
  return undefined
}
