import { type EncryptionKey, type SecretKey, secretKeyOf, WrongKeyError } from './encryption-key.ts'

/** Keys by their ids. The first one encrypts, and all decrypt. */
export interface KeyRing {
  readonly first: SecretKey
  readonly byId: ReadonlyMap<string, SecretKey>
}

const FORM = 'to be a list such as k2:<base64 of 32 bytes>,k1:<base64 of 32 bytes>'
/** No text of 32 bytes in base64 is such an id. So a key that stands in the place of an id is refused, and never stored. */
const LISTED_ID = /^[A-Za-z0-9_.-]{1,64}$/

/**
 * Reads a key ring: a list of keys, or the text `id:base64,id:base64`.
 *
 * @throws {WrongKeyError} for the first key that is wrong.
 */
export function keyRingOf(keys: unknown): KeyRing {
  const given = typeof keys === 'string' ? listed(keys) : keys
  if (!Array.isArray(given) || given.length === 0) {
    throw new WrongKeyError(FORM, given === undefined ? 'nothing' : 'no keys')
  }
  const all = given.map(secretKeyOf)
  const byId = new Map(all.map((key) => [key.id, key]))
  if (byId.size < all.length) throw new WrongKeyError('to have a different id for each key', 'an id twice')
  return { first: all[0] as SecretKey, byId }
}

function listed(text: string): EncryptionKey[] {
  const parts = text.split(',').map((part) => part.trim())
  return parts.map((part, n) => {
    const [id = '', ...key] = part.split(':')
    if (!LISTED_ID.test(id) || key.length !== 1) {
      throw new WrongKeyError(FORM, `another text at place ${n + 1} of ${parts.length}`)
    }
    return { id, key: key.join(':') }
  })
}
