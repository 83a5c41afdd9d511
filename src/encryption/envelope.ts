import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import type { SecretKey } from './encryption-key.ts'

/**
 * A payload that was encrypted with AES-256-GCM, as a row of format 3 stores it. The SQL function `is_envelope` accepts the
 * same form.
 */
export interface Envelope {
  readonly v: 1
  /** The id of the key. */
  readonly key: string
  /** Base64 of 12 random bytes. */
  readonly iv: string
  /** Base64 of the ciphertext and its tag of 16 bytes. */
  readonly data: string
}

/** What a payload belongs to. An envelope that is moved to another row of other values does not open. */
export interface Owner {
  readonly workspace: string
  readonly operation: string
  readonly orderingKey: string
}

const ALGORITHM = 'aes-256-gcm'
const IV_BYTES = 12
const TAG_BYTES = 16

/** Encrypts a text. @returns the JSON of the envelope. */
export function seal({ id, secret }: SecretKey, owner: Owner, text: string): string {
  const iv = randomBytes(IV_BYTES)
  const cipher = createCipheriv(ALGORITHM, secret, iv).setAAD(boundTo(owner))
  const data = Buffer.concat([cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()])
  const envelope: Envelope = { v: 1, key: id, iv: iv.toString('base64'), data: data.toString('base64') }
  return JSON.stringify(envelope)
}

/** Decrypts an envelope. @returns undefined if it was changed, moved to another owner, or encrypted with another key. */
export function unseal({ secret }: SecretKey, owner: Owner, envelope: Envelope): string | undefined {
  const data = Buffer.from(envelope.data, 'base64')
  const iv = Buffer.from(envelope.iv, 'base64')
  if (iv.length !== IV_BYTES || data.length < TAG_BYTES) return undefined
  const end = data.length - TAG_BYTES
  const decipher = createDecipheriv(ALGORITHM, secret, iv, { authTagLength: TAG_BYTES })
    .setAAD(boundTo(owner))
    .setAuthTag(data.subarray(end))
  try {
    const text = decipher.update(data.subarray(0, end), undefined, 'utf8')
    return text + decipher.final('utf8')
  } catch {
    return undefined
  }
}

/** The authenticated data. JSON keeps the parts apart: no two owners have the same text. */
function boundTo({ workspace, operation, orderingKey }: Owner): Buffer {
  return Buffer.from(JSON.stringify(['customerio-outbox', 1, workspace, operation, orderingKey]))
}

/** The envelope of a stored payload. Undefined if it is none: it was written by hand, or by a newer version. */
export function envelopeOf(payload: unknown): Envelope | undefined {
  const { v, key, iv, data } = (payload ?? {}) as Partial<Record<keyof Envelope, unknown>>
  const isEnvelope = v === 1 && typeof key === 'string' && typeof iv === 'string' && typeof data === 'string'
  return isEnvelope ? { v, key, iv, data } : undefined
}
