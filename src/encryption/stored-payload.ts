import { type Envelope, envelopeOf, type Owner, seal, unseal } from './envelope.ts'
import type { SecretKey } from './encryption-key.ts'
import type { KeyRing } from './key-ring.ts'

/** The columns of an intent or a dead letter that open its payload. */
export interface StoredPayload {
  /** `<workspace>/<api>` */
  readonly destination: string
  readonly operation: string
  readonly orderingKey: string
  /** The envelope, parsed. */
  readonly payload: unknown
}

/** What became of an encrypted payload. */
export type Opened =
  | { readonly kind: 'opened'; readonly text: string }
  /** The key ring lacks the key. */
  | { readonly kind: 'no_key'; readonly key: string }
  /** It was changed, or moved to another row, or it is no envelope. No key helps. */
  | { readonly kind: 'refused' }

/** Opens the payload of a row of format 3. @returns the JSON text of the payload, if it could be opened. */
export function openPayload(row: StoredPayload, ring: Pick<KeyRing, 'byId'>): Opened {
  const envelope = envelopeOf(row.payload)
  if (!envelope) return { kind: 'refused' }
  const key = ring.byId.get(envelope.key)
  return key ? openWith(key, row, envelope) : { kind: 'no_key', key: envelope.key }
}

/** Opens an envelope with the key that it names. */
export function openWith(key: SecretKey, row: Omit<StoredPayload, 'payload'>, envelope: Envelope): Opened {
  const text = unseal(key, ownerOf(row), envelope)
  return text === undefined ? { kind: 'refused' } : { kind: 'opened', text }
}

/**
 * Encrypts another payload for a row, with the first key of the ring. `outbox.edit_dead_letter` takes the result for a dead
 * letter of format 3.
 *
 * @param payload The payload as `outbox.enqueue` takes it. It must keep the ordering key of the row.
 * @returns the envelope as JSON text.
 */
export function sealPayload(
  row: Omit<StoredPayload, 'payload'>,
  payload: object,
  { first }: KeyRing,
): string {
  return seal(first, ownerOf(row), JSON.stringify(payload))
}

function ownerOf({ destination, operation, orderingKey }: Omit<StoredPayload, 'payload'>): Owner {
  return { workspace: destination.slice(0, destination.lastIndexOf('/')), operation, orderingKey }
}
