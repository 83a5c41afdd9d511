import { hint, isPlainObject, kindOf } from './describe.ts'
import { InvalidOptionError } from './errors.ts'

/** @throws {InvalidOptionError} with the message `Expected ${label} ${expected}, got ${got}`. */
export function failOption(option: string, expected: string, got: string, label: string): never {
  throw new InvalidOptionError(`Expected ${label} ${expected}, got ${got}`, option)
}

/** The value of an option for a message. Options come from code, so 80 characters of a string may be printed. */
export function shownOption(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 80))
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : kindOf(value)
}

/**
 * Checks that `options` is an object with known names only.
 *
 * @param label Name of the options in a message.
 * @throws {InvalidOptionError} if `options` is not an object, or for the first unknown name.
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
