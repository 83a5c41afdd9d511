import { closest, isPlainObject, join, kindOf, pathOf } from '../describe.ts'
import { fail, type ErrorContext } from '../errors.ts'
import type { EventSchema, SchemaIssue, SchemaResult } from './event-schema.ts'
import { eventOf, type PlannableEvent } from './event-of.ts'
import type { Schemas } from './plan.ts'

/** An event whose name the plan does not have. */
export interface UnknownEvent {
  readonly name: string
  readonly operation: string
}

export interface PlanChecks {
  readonly schemas: Schemas
  /** Refuse an event whose name the plan does not have. Else it is reported. */
  readonly strict: boolean
  /** `similar` searches the plan for a name that may be meant. */
  readonly onUnknownEvent: (event: UnknownEvent, similar: () => string | undefined) => void
}

/**
 * Checks the event of an intent against the plan.
 *
 * No text of the schema's library is passed on: valibot and arktype quote the value in it. The error has the path, and the
 * type of the value.
 *
 * @returns the intent with the data that the schema returned; `intent` itself if it has no event of the plan. A promise only
 * if the schema is asynchronous.
 * @throws {InvalidIntentError} if the name is not in a strict plan, or the data does not match its schema.
 */
export function checkEvent(plan: PlanChecks, intent: unknown, index?: number): unknown {
  const event = eventOf(intent)
  if (event === undefined) return intent
  const context = { operation: event.operation, index }
  const schema = plan.schemas.get(event.name)
  if (schema === undefined) {
    const similar = () => closest(event.name, [...plan.schemas.keys()])
    if (plan.strict) {
      const meant = similar()
      const guess = meant === undefined ? '' : `did you mean ${meant}? Else `
      fail(context, event.nameField, `is not in the tracking plan: ${guess}add it to events`)
    }
    plan.onUnknownEvent({ name: event.name, operation: event.operation }, similar)
    return intent
  }
  const given = event.data === undefined ? {} : event.data
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    fail(context, event.dataField, `must be an object, got ${kindOf(given)}`)
  const result = validate(context, event, schema, given)
  return isThenable(result)
    ? Promise.resolve(result).then(
        (settled) => outcome(context, event, given, settled),
        () => failThrown(context, event),
      )
    : outcome(context, event, given, result)
}

function validate(
  context: ErrorContext,
  event: PlannableEvent,
  schema: EventSchema,
  given: unknown,
): SchemaResult<unknown> | Promise<SchemaResult<unknown>> {
  try {
    return schema['~standard'].validate(given)
  } catch {
    return failThrown(context, event)
  }
}

function outcome(
  context: ErrorContext,
  event: PlannableEvent,
  given: unknown,
  result: SchemaResult<unknown>,
): unknown {
  if (result?.issues !== undefined) return failIssue(context, event, given, result.issues[0])
  const value: unknown = result?.value
  if (!isPlainObject(value)) return failOutput(context, event)
  const isEmpty = Object.keys(value).length === 0
  return event.data === undefined && isEmpty ? event.intent : event.withData(value)
}

function failIssue(
  context: ErrorContext,
  event: PlannableEvent,
  given: unknown,
  issue: SchemaIssue | undefined,
): never {
  const keys = (issue?.path ?? []).map((part) => {
    const key = typeof part === 'object' ? part?.key : part
    return typeof key === 'number' ? key : String(key)
  })
  const field = join(event.dataField, pathOf(keys))
  const value = valueAt(given, keys)
  const schema = `the schema of ${JSON.stringify(event.name)} in the tracking plan`
  if (value === undefined) return fail(context, field, `is missing, and ${schema} requires it`)
  return fail(context, field, `must match ${schema}, got ${kindOf(value)}`)
}

function isThenable(value: unknown): value is PromiseLike<SchemaResult<unknown>> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}

function failOutput(context: ErrorContext, event: PlannableEvent): never {
  const schema = `the schema of ${JSON.stringify(event.name)} in the tracking plan`
  return fail(context, event.dataField, `cannot be stored: ${schema} has returned no object`)
}

/** The schema's own error may quote the data. */
function failThrown(context: ErrorContext, event: PlannableEvent): never {
  return fail(
    context,
    event.dataField,
    `cannot be checked: the schema of ${JSON.stringify(event.name)} in the tracking plan has thrown an error`,
  )
}

function valueAt(value: unknown, keys: readonly (string | number)[]): unknown {
  let found = value
  for (const key of keys) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, key)) return undefined
    found = (found as Record<string | number, unknown>)[key]
  }
  return found
}
