import { hint, isPlainObject, kindOf } from './describe.ts'
import { InvalidOptionError } from './errors.ts'

/** @throws InvalidOptionError `Expected ${label} ${expected}, got ${got}`. */
export function failOption(option: string, expected: string, got: string, label: string): never {
  throw new InvalidOptionError(`Expected ${label} ${expected}, got ${got}`, option)
}

/** Options are the programmer's own words, so they may be printed: 80 characters of a string, else the kind of value. */
export function shownOption(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 80))
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : kindOf(value)
}

/**
 * @param label What a message calls the options.
 * @throws InvalidOptionError if they are no object, or for the first name that is not known.
 */
export function checkOptionNames<Name extends string>(
  options: unknown,
  known: readonly Name[],
  label: string,
): Partial<Record<Name, unknown>> {
  if (!isPlainObject(options)) return failOption('', 'to be an object', kindOf(options), label)
  const unknown = Object.keys(options).find((name) => !known.some((one) => one === name))
  if (unknown !== undefined) {
    failOption(unknown, 'to have known names only', `${shownOption(unknown)}: ${hint(unknown, known)}`, label)
  }
  return options as Partial<Record<Name, unknown>>
}
