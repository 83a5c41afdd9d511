import { kindOf } from '../describe.ts'
import { MAX_EVENT_NAME_BYTES } from '../limits.ts'
import { failOption } from '../option-checks.ts'
import { utf8Bytes } from '../size.ts'
import type { EventSchema } from './event-schema.ts'

/** The most events of a plan. This limit is ours. */
export const MAX_EVENTS = 10_000

/** The schemas of a plan by the names of their events. */
export type Schemas = ReadonlyMap<string, EventSchema>

/**
 * Checks a tracking plan.
 *
 * @param value An object, or a module whose exports are schemas.
 * @throws {InvalidOptionError} if it is no plan.
 */
export function schemasOf(value: unknown): Schemas {
  const fail = (name: string, expected: string, got: string): never =>
    failOption('events', expected, got, name === '' ? 'events' : `events[${JSON.stringify(name)}]`)
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return fail('', 'to be an object with a schema for each name of an event', kindOf(value))
  const entries = Object.entries(value)
  if (entries.length === 0 || entries.length > MAX_EVENTS)
    fail('', `to have 1 to ${MAX_EVENTS} events`, String(entries.length))
  for (const [name, schema] of entries) {
    const bytes = utf8Bytes(name)
    if (name.trim() === '' || bytes > MAX_EVENT_NAME_BYTES)
      fail(name.slice(0, 80), `to have a name of 1 to ${MAX_EVENT_NAME_BYTES} bytes (UTF-8)`, `${bytes}`)
    if (!isSchema(schema))
      fail(name, 'to be a schema with Standard Schema v1, of zod, valibot, arktype, …', kindOf(schema))
  }
  return new Map(entries)
}

/** A schema of arktype is a function. */
function isSchema(value: unknown): value is EventSchema {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return false
  const standard = (value as Partial<EventSchema>)['~standard']
  return standard?.version === 1 && typeof standard.validate === 'function'
}
