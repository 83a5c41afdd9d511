import { hint, isPlainObject, join, kindOf, pathOf } from '../describe.ts'
import { fail, type ErrorContext } from '../errors.ts'
import { MAX_PERSON_ID_BYTES } from '../limits.ts'
import { checkBytes, checkNotBlank } from './text.ts'

export const PERSON_KINDS = ['id', 'email', 'phone', 'cio_id'] as const
export const MERGE_KINDS = ['id', 'email', 'cio_id'] as const

/** Checks that an intent names exactly one person by exactly one identifier. */
export function checkPerson(context: ErrorContext, intent: Record<string, unknown>): void {
  const { customerId, identifiers } = intent
  if (identifiers === undefined) {
    if (customerId === undefined) {
      fail(context, 'customerId', `is required, or identifiers with one of ${PERSON_KINDS.join(', ')}`)
    }
    checkId(context, 'customerId', customerId)
    return
  }
  if (customerId !== undefined) {
    fail(context, 'identifiers', 'and customerId are both given: pass one of them')
  }
  checkIdentifiers(context, 'identifiers', identifiers, PERSON_KINDS)
}

/** Checks that identifiers are an object with exactly one identifier, of one of `kinds`. */
export function checkIdentifiers(
  context: ErrorContext,
  field: string,
  identifiers: unknown,
  kinds: readonly string[],
): void {
  if (!isPlainObject(identifiers)) {
    fail(context, field, `must be an object with one of ${kinds.join(', ')}, got ${kindOf(identifiers)}`)
  }
  const given = Object.keys(identifiers).filter((kind) => identifiers[kind] !== undefined)
  const unknown = given.find((kind) => !kinds.includes(kind))
  if (unknown !== undefined) {
    const path = join(field, pathOf([unknown]))
    fail(context, path, `is not an identifier that can be used here: ${hint(unknown, kinds)}`)
  }

  const [kind] = given
  if (kind === undefined || given.length > 1) {
    const counted = given.length === 0 ? 'none is given' : `${given.join(', ')} are given`
    fail(context, field, `must have exactly one of ${kinds.join(', ')}: ${counted}`, {
      limit: 1,
      actual: given.length,
    })
  }
  if (kind === 'id') checkId(context, `${field}.id`, identifiers.id)
  else checkTextId(context, `${field}.${kind}`, identifiers[kind])
}

/** Checks an `id`: a string, or a whole number, which is sent as a decimal string. */
export function checkId(context: ErrorContext, field: string, value: unknown): void {
  if (typeof value !== 'number') {
    checkTextId(context, field, value, 'a string or a whole number')
    return
  }
  if (Number.isSafeInteger(value)) return
  fail(
    context,
    field,
    Number.isInteger(value)
      ? 'is a number beyond 2^53, which loses digits: pass a string'
      : `must be a string or a whole number, got ${Number.isFinite(value) ? 'a fraction' : value}`,
  )
}

/** Checks an identifier that Customer.io accepts as a string only. */
export function checkTextId(
  context: ErrorContext,
  field: string,
  value: unknown,
  expected = 'a string',
): void {
  if (typeof value !== 'string') fail(context, field, `must be ${expected}, got ${kindOf(value)}`)
  checkNotBlank(context, field, value)
  checkBytes(context, field, value, MAX_PERSON_ID_BYTES)
}
