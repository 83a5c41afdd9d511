import { hint, isPlainObject, join, kindOf, pathOf } from '../describe.ts'
import { refuse, type Subject } from '../errors.ts'
import { MAX_PERSON_ID_BYTES } from '../limits.ts'
import { checkBytes, checkNotBlank } from './text.ts'

export const PERSON_KINDS = ['id', 'email', 'phone', 'cio_id'] as const
export const MERGE_KINDS = ['id', 'email', 'cio_id'] as const

/** Refuses an intent that does not name exactly one person by exactly one identifier. */
export function checkPerson(subject: Subject, intent: Record<string, unknown>): void {
  const { customerId, identifiers } = intent
  if (identifiers === undefined) {
    if (customerId === undefined) {
      refuse(subject, 'customerId', `is required, or identifiers with one of ${PERSON_KINDS.join(', ')}`)
    }
    checkId(subject, 'customerId', customerId)
    return
  }
  if (customerId !== undefined) {
    refuse(subject, 'identifiers', 'and customerId are both given: pass one of them')
  }
  checkIdentifiers(subject, 'identifiers', identifiers, PERSON_KINDS)
}

/** Refuses identifiers that are not an object with exactly one identifier, of one of `kinds`. */
export function checkIdentifiers(
  subject: Subject,
  field: string,
  identifiers: unknown,
  kinds: readonly string[],
): void {
  if (!isPlainObject(identifiers)) {
    refuse(subject, field, `must be an object with one of ${kinds.join(', ')}, got ${kindOf(identifiers)}`)
  }
  const given = Object.keys(identifiers).filter((kind) => identifiers[kind] !== undefined)
  const unknown = given.find((kind) => !kinds.includes(kind))
  if (unknown !== undefined) {
    const path = join(field, pathOf([unknown]))
    refuse(subject, path, `is not an identifier that can be used here: ${hint(unknown, kinds)}`)
  }

  const [kind] = given
  if (kind === undefined || given.length > 1) {
    const counted = given.length === 0 ? 'none is given' : `${given.join(', ')} are given`
    refuse(subject, field, `must have exactly one of ${kinds.join(', ')}: ${counted}`, {
      limit: 1,
      actual: given.length,
    })
  }
  if (kind === 'id') checkId(subject, `${field}.id`, identifiers.id)
  else checkTextId(subject, `${field}.${kind}`, identifiers[kind])
}

/** An `id`: text, or a whole number, which is sent as its decimal text. */
export function checkId(subject: Subject, field: string, value: unknown): void {
  if (typeof value !== 'number') {
    checkTextId(subject, field, value, 'a string or a whole number')
    return
  }
  if (Number.isSafeInteger(value)) return
  refuse(
    subject,
    field,
    Number.isInteger(value)
      ? 'is a number beyond 2^53, which loses digits: pass a string'
      : `must be a string or a whole number, got ${Number.isFinite(value) ? 'a fraction' : value}`,
  )
}

/** An identifier that Customer.io takes as text only. */
export function checkTextId(subject: Subject, field: string, value: unknown, expected = 'a string'): void {
  if (typeof value !== 'string') refuse(subject, field, `must be ${expected}, got ${kindOf(value)}`)
  checkNotBlank(subject, field, value)
  checkBytes(subject, field, value, MAX_PERSON_ID_BYTES)
}
