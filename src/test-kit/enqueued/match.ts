import { isDeepStrictEqual } from 'node:util'

/** An asymmetric matcher of vitest or Jest, such as `expect.any(Number)`. */
interface Matcher {
  asymmetricMatch(found: unknown): boolean
}

/**
 * An intent, or a part of one, in the form in which intents are shown: `identifiers: { id }` becomes `customerId`.
 */
export function asStored(partial: unknown): unknown {
  if (!isRecord(partial)) return partial
  const { identifiers, ...rest } = partial
  const shown =
    !isRecord(identifiers) || identifiers.id === undefined ? partial : { customerId: identifiers.id, ...rest }
  // A person's id is text for Customer.io: 7 and '7' are one person.
  return typeof shown.customerId === 'number' ? { ...shown, customerId: String(shown.customerId) } : shown
}

/** Whether `found` has all values of `expected`. An array must have the same length, and `undefined` means absent. */
export function matches(found: unknown, expected: unknown): boolean {
  return countDifferences(found, expected) === 0
}

/** How many values of `expected` `found` does not have. */
export function countDifferences(found: unknown, expected: unknown): number {
  if (isMatcher(expected) || !isContainer(expected)) return isSame(found, expected) ? 0 : 1
  if (!isContainer(found) || Array.isArray(found) !== Array.isArray(expected))
    return Math.max(1, countLeaves(expected))
  return namesOf(found, expected).reduce(
    (sum, name) => sum + countDifferences(memberOf(found, name), memberOf(expected, name)),
    0,
  )
}

/** Whether a value without members is the expected one. A date in an intent's data is stored as text. */
export function isSame(found: unknown, expected: unknown): boolean {
  if (isMatcher(expected)) return expected.asymmetricMatch(found)
  if (expected instanceof Date && !(found instanceof Date)) return found === expected.toJSON()
  return found === expected || isDeepStrictEqual(found, expected)
}

/** The names at which a partial object or an array is compared. */
export function namesOf(found: object, expected: object): string[] {
  if (!Array.isArray(expected)) return Object.keys(expected)
  return Object.keys(Array.isArray(found) && found.length > expected.length ? found : expected)
}

export function memberOf(container: unknown, name: string): unknown {
  return isContainer(container) && Object.hasOwn(container, name)
    ? (container as Record<string, unknown>)[name]
    : undefined
}

/** Whether a value is an array or a plain object, whose members are compared one by one. A Map or RegExp matches nothing. */
export function isContainer(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return Array.isArray(value) || prototype === null || Object.getPrototypeOf(prototype) === null
}

export function isMatcher(value: unknown): value is Matcher {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof (value as Partial<Matcher>).asymmetricMatch === 'function'
  )
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return isContainer(value) && !Array.isArray(value)
}

function countLeaves(value: unknown): number {
  if (!isContainer(value) || isMatcher(value)) return 1
  return Object.values(value).reduce((sum: number, each) => sum + countLeaves(each), 0)
}
