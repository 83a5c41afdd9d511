import { join } from './describe.ts'

/**
 * Fields of an {@link InvalidIntentError}.
 */
export type InvalidIntentDetails = {
  readonly operation: string
  readonly field: string
  readonly limit?: number
  readonly actual?: number
}

/**
 * Customer.io would not take the intent. `enqueue` throws this error before any SQL runs, so the caller's transaction is
 * unchanged.
 *
 * The message names the field, the limit and the actual size. It never quotes a value of the payload.
 *
 * @example
 * ```ts
 * import { intents, InvalidIntentError } from 'customerio-outbox'
 *
 * try {
 *   await outbox.enqueue(tx, intents.track(user.id, 'x'.repeat(101)))
 * } catch (error) {
 *   if (!(error instanceof InvalidIntentError)) throw error
 *   console.error(error.field, error.limit, error.actual)
 * }
 * ```
 */
export class InvalidIntentError extends Error {
  override readonly name = 'InvalidIntentError'
  readonly code = 'INVALID_INTENT'
  /** The operation of the intent, or `intent` if it is unknown. */
  readonly operation: string
  /**
   * Path of the field: `name`, `data.total`, `data.items[3]`. In an array of intents it starts with the index:
   * `[12].name`. Empty for the intent as a whole.
   */
  readonly field: string
  /** The limit that was exceeded, in bytes or as a count. Absent if the problem is not one of size. */
  readonly limit?: number
  /** The actual size, in the unit of `limit`. */
  readonly actual?: number

  constructor(message: string, details: InvalidIntentDetails) {
    super(message)
    this.operation = details.operation
    this.field = details.field
    if (details.limit !== undefined) this.limit = details.limit
    if (details.actual !== undefined) this.actual = details.actual
  }
}

/**
 * An option of `createOutbox`, `enqueue`, `migrate` or `migrationScript` is wrong. The message reads "Expected X to be …,
 * got Y". `enqueue` throws this error before any SQL runs, so the caller's transaction is unchanged.
 *
 * @example
 * ```ts
 * import { intents, InvalidOptionError } from 'customerio-outbox'
 *
 * try {
 *   await outbox.enqueue(tx, intents.destroy(user.id), { dedupWindowSeconds: -1 })
 * } catch (error) {
 *   if (!(error instanceof InvalidOptionError)) throw error
 *   console.error(error.option)
 * }
 * ```
 */
export class InvalidOptionError extends Error {
  override readonly name = 'InvalidOptionError'
  readonly code = 'INVALID_OPTION'
  /** Name of the option; empty for the options as a whole. */
  readonly option: string

  constructor(message: string, option: string) {
    super(message)
    this.option = option
  }
}

/**
 * The intent that a check is about.
 */
export type ErrorContext = {
  readonly operation: string
  /** Index of the intent if an array is enqueued. */
  readonly index?: number | undefined
}

/**
 * A limit and the actual size, in the same unit.
 */
export type LimitViolation = { readonly limit: number; readonly actual: number }

/**
 * Throws the error for `field`, a path within the intent: `track: name is empty`.
 *
 * @throws {InvalidIntentError} always.
 */
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
 * Throws the error for a field that is too large: `track: name is 120 bytes, Customer.io takes at most 100 bytes (UTF-8)`.
 *
 * @throws {InvalidIntentError} always.
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
