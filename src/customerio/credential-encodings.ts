import type { Answer } from './answers/answer.ts'

/** So much of a credential in one piece identifies it. */
const PIECE_LENGTH = 8

const REDACTED = 'the text shows a credential: it is not kept'

/**
 * Every piece of a credential, in the forms in which it goes out or a server may show it: plain, base64 of Basic
 * authentication, percent-encoded, escaped for HTML or JSON, hexadecimal. In lower case.
 *
 * @param user Of Basic authentication, where the key is the password.
 */
export function credentialEncodings(key: string, user?: string): ReadonlySet<string> {
  const pairs = [key, `${key}:`, `${user ?? ''}:${key}`].map((text) => Buffer.from(text))
  const forms = [
    key,
    encodeURIComponent(key),
    JSON.stringify(key).slice(1, -1),
    key.replaceAll('/', '\\/'),
    key.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`),
    Buffer.from(key).toString('hex'),
    ...pairs.flatMap((pair) => [pair.toString('base64').replace(/=+$/, ''), pair.toString('base64url')]),
  ]
  return new Set(forms.flatMap((form) => piecesOfForm(form.toLowerCase())))
}

/** A form that is shorter than a piece has none: it would take words apart, and no workspace has such a key. */
function piecesOfForm(form: string): string[] {
  const places = Math.max(0, form.length - PIECE_LENGTH + 1)
  return Array.from({ length: places }, (_, at) => form.slice(at, at + PIECE_LENGTH))
}

/** The answer without the texts of Customer.io's that show a piece of a credential. Every other text is ours. */
export function redactCredentials(answer: Answer, pieces: ReadonlySet<string>): Answer {
  const kept = (text: string) => (showsAny(text, pieces) ? REDACTED : text)
  if (answer.kind === 'rejected') return { ...answer, message: kept(answer.message) }
  if (answer.kind !== 'accepted') return answer
  const refused = answer.refused.map((one) => ({
    ...one,
    reason: kept(one.reason),
    message: one.message === undefined ? undefined : kept(one.message),
  }))
  const { deliveryId } = answer
  if (deliveryId === undefined) return { kind: 'accepted', refused }
  return { kind: 'accepted', refused, ...(showsAny(deliveryId, pieces) ? {} : { deliveryId }) }
}

function showsAny(text: string, pieces: ReadonlySet<string>): boolean {
  return piecesOfForm(text.toLowerCase()).some((piece) => pieces.has(piece))
}
