import { createSecretKey, type KeyObject } from 'node:crypto'

/**
 * A key that encrypts payloads, and the id by which a stored payload names it.
 *
 * @example
 * ```ts
 * import { randomBytes } from 'node:crypto'
 * import type { EncryptionKey } from 'customerio-outbox'
 *
 * const key: EncryptionKey = { id: 'k1', key: randomBytes(32) }
 * ```
 */
export interface EncryptionKey {
  /**
   * 1 to 400 letters, digits and `+/=_.:-`. It is stored readable beside each payload. It may be a data key in the form in which
   * a KMS has encrypted it.
   */
  readonly id: string
  /** 32 bytes, or their base64. */
  readonly key: Uint8Array | string
}

/** A checked key. A `KeyObject` never shows its bytes when it is printed. */
export interface SecretKey {
  readonly id: string
  readonly secret: KeyObject
}

/** A key that cannot be used. Callers put the two texts into an error of their own. Neither quotes a key. */
export class WrongKeyError extends Error {
  override readonly name = 'WrongKeyError'
  /** Begins with `to `. */
  readonly expected: string
  readonly got: string

  constructor(expected: string, got: string) {
    super(`Expected a key ${expected}, got ${got}`)
    this.expected = expected
    this.got = got
  }
}

const ID = /^[A-Za-z0-9+/=_.:-]{1,400}$/
/** 32 bytes. */
const BASE64 = /^[A-Za-z0-9+/]{43}=$/

/** @throws {WrongKeyError} */
export function secretKeyOf(given: unknown): SecretKey {
  const { id, key } = (given ?? {}) as Partial<EncryptionKey>
  if (typeof id !== 'string' || !ID.test(id)) {
    throw new WrongKeyError('to have an id of 1 to 400 letters, digits and +/=_.:-', 'another id')
  }
  const bytes = typeof key === 'string' && BASE64.test(key) ? Buffer.from(key, 'base64') : key
  if (!(bytes instanceof Uint8Array) || bytes.length !== 32) {
    const length = bytes instanceof Uint8Array ? `${bytes.length} bytes` : 'another value'
    throw new WrongKeyError('to be 32 bytes or their base64', `${length} for key ${id.slice(0, 40)}`)
  }
  return { id, secret: createSecretKey(bytes) }
}
