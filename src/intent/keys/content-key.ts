import { createHash } from 'node:crypto'
import stringify from 'safe-stable-stringify'
import { isPlainObject } from '../describe.ts'
import type { Intent } from '../intent.ts'
import { toPayload } from '../payload.ts'

/**
 * The dedup key of `dedup: 'content'`: `content:` and the SHA-256 of operation, person and payload as canonical JSON. So
 * the order of keys and the form of the person (`customerId` or `identifiers`) make no difference. A `timestamp` in the
 * intent does.
 */
export function contentKey(intent: Intent): string {
  const { customerId, ...rest } = toPayload(intent) as Record<string, unknown>
  const content = customerId === undefined ? rest : { ...rest, identifiers: { id: customerId } }
  const canonical = stringify([intent.operation, withTextIds(content)])
  return `content:${createHash('sha256').update(canonical).digest('hex')}`
}

/** Fields that are an object with the identifiers of a person. */
const HOLDERS = new Set(['identifiers', 'primary', 'secondary'])
/** Fields that are an id. */
const IDS = new Set(['userId', 'previousId', 'broadcastId'])

/** Turns ids into text. The ids 42 and '42' are the same person, because both are sent as strings. */
function withTextIds(content: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(content).map(([field, value]) => {
      // The message of an intent is an object. The `message` inside a push notification is a string.
      if (field === 'message' && isPlainObject(value)) return [field, withTextIds(value)]
      if (IDS.has(field) && value !== undefined) return [field, String(value)]
      return [
        field,
        HOLDERS.has(field) ? { ...(value as object), ...textId(value as { id?: unknown }) } : value,
      ]
    }),
  )
}

function textId({ id }: { readonly id?: unknown }): { id?: string } {
  return id === undefined ? {} : { id: String(id) }
}
