import { createHash } from 'node:crypto'
import stringify from 'safe-stable-stringify'
import type { Intent } from './intent.ts'
import { toPayload } from './payload.ts'

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

/** 42 and '42' are one person: both are sent as text. */
function withTextIds(content: Record<string, unknown>): Record<string, unknown> {
  const textIds = Object.entries(content)
    .filter(([field]) => field === 'identifiers' || field === 'primary' || field === 'secondary')
    .map(([field, value]) => [field, { ...(value as object), ...textId((value as { id?: unknown }).id) }])
  return { ...content, ...Object.fromEntries(textIds) }
}

function textId(id: unknown): { id?: string } {
  return id === undefined ? {} : { id: String(id) }
}
