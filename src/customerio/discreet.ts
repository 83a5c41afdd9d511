import type { Answer } from './answer.ts'
import type { Result } from './classify.ts'

/** Shorter ones are left: they would take words apart, and nobody has such a key. */
const MIN_SECRET_LENGTH = 8
/** Shorter values of a payload are words that an answer may say by itself. */
const MIN_QUOTE_LENGTH = 6
/** Of a call of the Track API and of Pipelines: these are the protocol's words, not the app's. */
const PROTOCOL_FIELDS = new Set(['via', 'type', 'action'])

const QUOTED = 'the answer quotes what was sent: its words are not kept'

/**
 * The forms in which a credential goes out, to be struck out of whatever comes back: a proxy's page of an error may show
 * the request's headers, and an answer's words are kept in tables and logs.
 *
 * @param user Of Basic authentication, where the key is its password.
 */
export function formsOf(key: string, user?: string): string[] {
  const basic = [`${user ?? ''}:${key}`, `${key}:`].map((pair) => Buffer.from(pair).toString('base64'))
  return [key, encodeURIComponent(key), ...basic].filter((form) => form.length >= MIN_SECRET_LENGTH)
}

/** The result without the forms of a credential. */
export function withoutSecrets(result: Result, secrets: readonly string[]): Result {
  if ('error' in result) return result
  const strike = (text: string) => secrets.reduce((left, secret) => left.replaceAll(secret, '***'), text)
  return { ...result, body: strike(result.body) }
}

/**
 * The answer without its words where they quote what was sent. What is said of an intent goes to its dead letter, beside its
 * payload, and may quote it; what is said of the destination, and a field's name, goes to tables, views and logs that have
 * no payloads.
 *
 * @param sent What each item of the request says.
 */
export function withoutQuotes(answer: Answer, result: Result, sent: readonly unknown[]): Answer {
  if ('error' in result) return answer
  switch (answer.kind) {
    case 'unavailable':
    case 'credential':
    case 'rate_limited':
      return quotes(result.body, sent) ? { ...answer, message: QUOTED } : answer
    case 'rejected':
      return quotes(answer.field, sent) ? { ...answer, field: undefined } : answer
    case 'accepted': {
      const refused = answer.refused.map((one) =>
        quotes(one.field, sent[one.index]) ? { ...one, field: undefined } : one,
      )
      return { ...answer, refused }
    }
    case 'too_large':
      return answer
  }
}

function quotes(body: string | undefined, value: unknown): boolean {
  if (body === undefined) return false
  if (typeof value === 'string') return value.length >= MIN_QUOTE_LENGTH && body.includes(value)
  if (typeof value !== 'object' || value === null) return false
  return Object.entries(value).some(([field, each]) => !PROTOCOL_FIELDS.has(field) && quotes(body, each))
}
