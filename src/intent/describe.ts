import { distance } from 'fastest-levenshtein'

/** Text for error messages: names and types, never values. */

const PLAIN_NAME = /^[A-Za-z_$][\w$]*$/
const MAX_NAME_LENGTH = 60

/** The type of a value for a message: `string`, `null`, `array`, `Date`, `NaN`, `Map`. */
export function kindOf(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'array'
  if (typeof value === 'number') return Number.isFinite(value) ? 'number' : String(value)
  if (typeof value !== 'object') return typeof value
  return isPlainObject(value) ? 'object' : classOf(value)
}

function classOf(value: object): string {
  const name: unknown = Object.getPrototypeOf(value)?.constructor?.name
  return typeof name === 'string' && PLAIN_NAME.test(name) ? shorten(name) : 'class instance'
}

/**
 * A path in the syntax of JavaScript: `data.items[3]["first name"]`. Cuts long names and escapes control characters.
 */
export function pathOf(keys: readonly (string | number)[]): string {
  let path = ''
  for (const key of keys) {
    if (typeof key === 'number') path += `[${key}]`
    else if (!PLAIN_NAME.test(key)) path += `[${JSON.stringify(shorten(key))}]`
    else path += path === '' ? shorten(key) : `.${shorten(key)}`
  }
  return path
}

/** Appends a path to another: `data` and `total`, or `data` and `["first name"]`. */
export function join(prefix: string, path: string): string {
  return prefix === '' || path === '' || path.startsWith('[') ? prefix + path : `${prefix}.${path}`
}

function shorten(name: string): string {
  return name.length <= MAX_NAME_LENGTH ? name : `${name.slice(0, MAX_NAME_LENGTH)}…`
}

/** Whether a value is an object literal: of this realm, of another one (Jest, vm), or without a prototype. */
export function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype === Object.prototype || prototype === null) return true
  return Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype as object, 'isPrototypeOf')
}

/** Advice for an unknown name: the similar known name, or all known names. */
export function hint(name: string, known: readonly string[]): string {
  const meant = closest(name, known)
  return meant === undefined ? `pass one of ${known.join(', ')}` : `did you mean ${meant}?`
}

/** The known name within two edits of `name`, regardless of case: the closest one, if there is any. */
export function closest(name: string, known: readonly string[]): string | undefined {
  const reach = Math.min(2, Math.floor(name.length / 2))
  return known
    .filter((candidate) => Math.abs(candidate.length - name.length) <= reach)
    .map((candidate) => ({ candidate, edits: distance(name.toLowerCase(), candidate.toLowerCase()) }))
    .filter(({ edits }) => edits <= reach)
    .sort((a, b) => a.edits - b.edits)[0]?.candidate
}
