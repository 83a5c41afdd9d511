import { isPlainObject, join, kindOf, pathOf } from '../describe.ts'
import { fail, failSize, type ErrorContext } from '../errors.ts'
import { MAX_ATTRIBUTE_NAME_BYTES, MAX_ATTRIBUTE_VALUE_BYTES, MAX_ATTRIBUTES } from '../limits.ts'
import { isLonger, jsonBytes, utf8Bytes } from '../size.ts'
import { checkBytes, checkNotBlank } from './text.ts'

/**
 * Checks the number of attributes of a person, an object or a relationship, and the size of each name and value.
 * `cio_relationships` is not an attribute, although it may stand among them: it has a check of its own.
 *
 * @throws {InvalidIntentError} for the first attribute over a limit.
 */
export function checkAttributes(
  context: ErrorContext,
  field: string,
  attributes: Record<string, unknown>,
): void {
  let count = 0
  for (const name of Object.keys(attributes)) {
    const value = attributes[name]
    if (value === undefined || name === 'cio_relationships') continue
    count++
    const path = () => join(field, pathOf([name]))
    if (name.trim() === '') checkNotBlank(context, path(), name)
    if (isLonger(name, MAX_ATTRIBUTE_NAME_BYTES)) {
      fail(
        context,
        path(),
        `has a name of ${utf8Bytes(name)} bytes, Customer.io takes at most ${MAX_ATTRIBUTE_NAME_BYTES} bytes (UTF-8)`,
        { limit: MAX_ATTRIBUTE_NAME_BYTES, actual: utf8Bytes(name) },
      )
    }
    checkValue(context, path, value)
  }
  if (count > MAX_ATTRIBUTES) {
    fail(
      context,
      field,
      `has ${count} attributes, Customer.io takes at most ${MAX_ATTRIBUTES} a call: enqueue several`,
      { limit: MAX_ATTRIBUTES, actual: count },
    )
  }
}

function checkValue(context: ErrorContext, path: () => string, value: unknown): void {
  const limit = MAX_ATTRIBUTE_VALUE_BYTES
  if (typeof value === 'string') {
    if (isLonger(value, limit)) checkBytes(context, path(), value, limit)
  } else if (typeof value === 'object' && value !== null) {
    const actual = jsonBytes(value)
    if (actual > limit) failSize(context, path(), { limit, actual }, ' of JSON')
  }
}

/**
 * Checks the relationships among the attributes of an identify: an array, or the form of the Track API v1,
 * `{ action: 'add_relationships', relationships: […] }`.
 */
export function checkIdentifyRelationships(context: ErrorContext, field: string, value: unknown): void {
  if (!isPlainObject(value)) {
    checkRelationships(context, field, value)
    return
  }
  if (value.action !== 'add_relationships') {
    fail(
      context,
      `${field}.action`,
      "must be add_relationships here: to delete some, enqueue an entity with action: 'delete_relationships'",
    )
  }
  checkRelationships(context, `${field}.relationships`, value.relationships ?? null)
}

/** Checks that relationships are an array, and the sizes of their attributes. */
export function checkRelationships(context: ErrorContext, field: string, value: unknown): void {
  if (value === undefined) return
  if (!Array.isArray(value)) fail(context, field, `must be an array of relationships, got ${kindOf(value)}`)
  for (const [i, relationship] of value.entries()) {
    const path = `${field}[${i}]`
    if (!isPlainObject(relationship) || !isPlainObject(relationship.identifiers)) {
      fail(context, path, 'must be an object with identifiers')
    }
    const { relationship_attributes: attributes } = relationship
    if (isPlainObject(attributes)) checkAttributes(context, `${path}.relationship_attributes`, attributes)
  }
}
