import { createHash } from 'node:crypto'
import stringify from 'safe-stable-stringify'
import { isPlainObject } from '../describe.ts'
import type { Intent } from '../intent.ts'
import { toPayload } from '../payload.ts'

/**
 * The dedup key of `dedup: 'content'`: `content:` and the SHA-256 of operation, person and payload as
 * canonical JSON, so that neither the order of keys nor the way in which the person is written counts. A
 * `timestamp` counts where one is given.
 */
export function contentKey(intent: Intent): string {
  const { customerId, ...rest } = toPayload(intent) as Record<string, unknown>
  const content = customerId === undefined ? rest : { ...rest, identifiers: { id: customerId } }
  const canonical = stringify([intent.operation, withTextIds(content)])
  return `content:${createHash('sha256').update(canonical).digest('hex')}`
}

/** Fields that hold a person's identifiers, and fields that are an id themselves. */
const HOLDERS = new Set(['identifiers', 'primary', 'secondary'])
const IDS = new Set(['userId', 'previousId', 'broadcastId'])

/** 42 and '42' are one person: both are sent as text. */
function withTextIds(content: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(content).map(([field, value]) => {
      // A message's; a push notification has a text of that name in its own.
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
