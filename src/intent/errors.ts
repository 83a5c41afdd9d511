import { join } from './describe.ts'

/** What an {@link InvalidIntentError} says beside its message. */
export type InvalidIntentDetails = {
  readonly operation: string
  readonly field: string
  readonly limit?: number
  readonly actual?: number
}

/**
 * An intent that Customer.io could not take. `enqueue` throws it before any SQL runs, so the caller's
 * transaction is as good as before.
 *
 * The message names the field, the limit and the size found; it never carries a value of the payload.
 */
export class InvalidIntentError extends Error {
  override readonly name = 'InvalidIntentError'
  readonly code = 'INVALID_INTENT'
  /** The intent's operation, or `intent` where it has none that is known. */
  readonly operation: string
  /**
   * The field's path: `name`, `data.total`, `data.items[3]`; in an array of intents `[12].name`; '' for the
   * intent itself.
   */
  readonly field: string
  /** The limit that was passed: bytes, or a count. Absent where the problem is not one of size. */
  readonly limit?: number
  /** What was found, in the unit of `limit`. */
  readonly actual?: number

  constructor(message: string, details: InvalidIntentDetails) {
    super(message)
    this.operation = details.operation
    this.field = details.field
    if (details.limit !== undefined) this.limit = details.limit
    if (details.actual !== undefined) this.actual = details.actual
  }
}

/** An option of `enqueue` that cannot be taken. The message reads "Expected X to be …, got Y". */
export class InvalidOptionError extends Error {
  override readonly name = 'InvalidOptionError'
  readonly code = 'INVALID_OPTION'
  /** The option's name; '' for the options as a whole. */
  readonly option: string

  constructor(message: string, option: string) {
    super(message)
    this.option = option
  }
}

/** Which intent a check is about. */
export type ErrorContext = {
  readonly operation: string
  /** Its index in the array that was enqueued, if there was one. */
  readonly index?: number | undefined
}

/** The limit passed and what was found, in one unit. */
export type LimitViolation = { readonly limit: number; readonly actual: number }

/** Throws the error for `field` (a path within the intent): `track: name is empty`. */
export function fail(
  context: ErrorContext,
  field: string,
  problem: string,
  violation?: LimitViolation,
): never {
  const { operation, index } = context
  const path = index === undefined ? field : join(`[${index}]`, field)
  const message = path === '' ? `${operation} ${problem}` : `${operation}: ${path} ${problem}`
  throw new InvalidIntentError(message, { operation, field: path, ...violation })
}

/**
 * Throws the error for a field that is too large: `track: name is 120 bytes, Customer.io takes at most 100
 * bytes (UTF-8)`.
 */
export function failSize(
  context: ErrorContext,
  field: string,
  violation: LimitViolation,
  advice = '',
): never {
  const { limit, actual } = violation
  return fail(
    context,
    field,
    `is ${actual} bytes, Customer.io takes at most ${limit} bytes (UTF-8)${advice}`,
    violation,
  )
}
