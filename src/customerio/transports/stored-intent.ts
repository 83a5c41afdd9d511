import { isPlainObject } from '../../intent/describe.ts'
import { fail } from '../../intent/errors.ts'
import type { Intent, Operation } from '../../intent/intent.ts'
import { validateIntent } from '../../intent/validate/validate-intent.ts'

/** What the mapping needs of a stored intent. */
export type StoredIntent = {
  /** The intent's UUID. */
  readonly id: string
  readonly operation: Operation
  /** The intent's other fields, as read from `jsonb`. */
  readonly payload: unknown
  /**
   * The time of the business write in whole Unix seconds: sent where the intent has no `timestamp` of its
   * own.
   */
  readonly occurredAtSeconds: number
  /** UTF-8 bytes of the payload's JSON, spaces included: who gives it spares measuring what is sent. */
  readonly payloadBytes?: number
}

/**
 * The intent of a row. A null counts as absent, in the payload and in its `message`: `jsonb_build_object` in a
 * trigger writes one for every empty column.
 *
 * @throws InvalidIntentError where the payload is not one that `enqueue` would have let in, which callers of
 * the SQL function can bring about. No retry helps: the intent is for the dead letters.
 */
export function intentOf({ operation, payload, payloadBytes }: StoredIntent): Intent {
  if (!isPlainObject(payload)) fail({ operation }, '', 'has a payload that is not a JSON object')
  const given = withoutNulls(payload)
  const intent = isPlainObject(given.message)
    ? { ...given, message: withoutNulls(given.message), operation }
    : { ...given, operation }
  return validateIntent(intent, undefined, payloadBytes)
}

/** The error for a row that another API's transport was given. */
export function failOperation({ operation }: StoredIntent, api: string): never {
  return fail({ operation }, 'operation', `is not one that the ${api} API takes`)
}

/** The object itself where it has none. */
function withoutNulls(object: Record<string, unknown>): Record<string, unknown> {
  for (const field in object) if (object[field] === null) return copyWithoutNulls(object)
  return object
}

function copyWithoutNulls(object: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== null))
}
