import { isPlainObject } from '../../intent/describe.ts'
import { fail } from '../../intent/errors.ts'
import type { Intent, Operation } from '../../intent/intent.ts'
import { validateIntent } from '../../intent/validate/validate-intent.ts'

/** The columns of a stored intent that the wire format needs. */
export type StoredIntent = {
  /** UUIDv7 of the intent. */
  readonly id: string
  readonly operation: Operation
  /** The fields of the intent without `operation`, parsed from the column `payload`. */
  readonly payload: unknown
  /** The database's time at `enqueue` in whole Unix seconds. Sent as the timestamp of an intent that has none. */
  readonly occurredAtSeconds: number
  /**
   * Bytes of UTF-8 of the payload as JSON, spaces included. If given, the intent is measured only if this number does not
   * show that it is within the limit.
   */
  readonly payloadBytes?: number
}

/**
 * The intent of a row. A null in the payload or in its `message` counts as absent: `jsonb_build_object` in a trigger
 * writes a null for every empty column.
 *
 * @throws {InvalidIntentError} if `enqueue` would have refused the payload. Callers of the SQL function can store such a
 * payload. No retry helps: the intent becomes a dead letter.
 */
export function intentOf({ operation, payload, payloadBytes }: StoredIntent): Intent {
  if (!isPlainObject(payload)) fail({ operation }, '', 'has a payload that is not a JSON object')
  const given = withoutNulls(payload)
  const intent = isPlainObject(given.message)
    ? { ...given, message: withoutNulls(given.message), operation }
    : { ...given, operation }
  return validateIntent(intent, undefined, payloadBytes)
}

/** Throws the error for a row whose operation belongs to another API. */
export function failOperation({ operation }: StoredIntent, api: string): never {
  return fail({ operation }, 'operation', `does not belong to the ${api} API`)
}

/** Returns the object itself if it has no null. */
function withoutNulls(object: Record<string, unknown>): Record<string, unknown> {
  for (const field in object) if (object[field] === null) return copyWithoutNulls(object)
  return object
}

function copyWithoutNulls(object: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== null))
}
