import type { Answer } from './answers/answer.ts'

/** Characters of one piece of a credential. A text that has one piece is taken to show the credential. */
const PIECE_LENGTH = 8

const REDACTED = 'redacted: the text shows a credential'

/**
 * Returns every piece of a credential, in lower case, in each encoding in which it is sent or a server may show it: plain,
 * base64 of Basic authentication, percent-encoded, escaped for HTML or JSON, hexadecimal.
 *
 * @param user User of Basic authentication; the key is the password.
 */
export function credentialEncodings(key: string, user?: string): ReadonlySet<string> {
  const pairs = [key, `${key}:`, `${user ?? ''}:${key}`].map((text) => Buffer.from(text))
  const encodings = [
    key,
    encodeURIComponent(key),
    JSON.stringify(key).slice(1, -1),
    key.replaceAll('/', '\\/'),
    key.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`),
    Buffer.from(key).toString('hex'),
    ...pairs.flatMap((pair) => [pair.toString('base64').replace(/=+$/, ''), pair.toString('base64url')]),
  ]
  return new Set(encodings.flatMap((encoding) => piecesOf(encoding.toLowerCase())))
}

/** Every piece of a text. A text shorter than a piece has none: it would match ordinary words, and no key is that short. */
function piecesOf(text: string): string[] {
  const count = Math.max(0, text.length - PIECE_LENGTH + 1)
  return Array.from({ length: count }, (_, at) => text.slice(at, at + PIECE_LENGTH))
}

/**
 * Redacts each text of Customer.io in an answer that shows a piece of a credential, and drops a `deliveryId` that shows
 * one. All other texts of an answer are our own.
 */
export function redactCredentials(answer: Answer, pieces: ReadonlySet<string>): Answer {
  const kept = (text: string) => (showsAny(text, pieces) ? REDACTED : text)
  if (answer.kind === 'rejected') return { ...answer, message: kept(answer.message) }
  if (answer.kind !== 'accepted') return answer
  const refused = answer.refused.map((one) => ({
    ...one,
    reason: kept(one.reason),
    message: one.message === undefined ? undefined : kept(one.message),
  }))
  const { deliveryId, ...others } = answer
  const isKept = deliveryId !== undefined && !showsAny(deliveryId, pieces)
  return { ...others, refused, ...(isKept ? { deliveryId } : {}) }
}

function showsAny(text: string, pieces: ReadonlySet<string>): boolean {
  return piecesOf(text.toLowerCase()).some((piece) => pieces.has(piece))
}
