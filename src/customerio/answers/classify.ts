import type { Answer, Outcome, RefusedOperation } from './answer.ts'
import { describeAnswer } from './describe-answer.ts'
import { describeError } from './describe-error.ts'
import { documentedField } from './documented-field.ts'
import type { Answered, Received } from './received.ts'
import { isObject, operationError, refusalOf } from './refusal-form.ts'
import { retryAfterMs } from './retry-after.ts'

/** With these statuses the request was not applied: it arrived late or too large, or no server was available. */
const NOT_TAKEN = new Set([408, 413, 503])

/** Default of `Request.contentStatuses`. */
const CONTENT_STATUSES: ReadonlySet<number> = new Set([400, 422])

/** The format of `delivery_id`: base64url or base64. */
const DELIVERY_ID = /^[A-Za-z0-9+/_=-]{1,128}$/

/** The request that an answer belongs to. */
export interface Request {
  /** Number of items that were sent: an answer may name them by index. Default: 1. */
  readonly items?: number | undefined
  /** Statuses that reject the content of a request. For the App API, 404 is one. Default: 400 and 422. */
  readonly contentStatuses?: ReadonlySet<number> | undefined
}

/**
 * Maps what was received for a request to an `Answer`: the kind says what the answer alone shows. Later,
 * `src/relay/send/attribute.ts` compares it with other requests, and decides whether the failure belongs to the
 * destination or to an intent. Pure and total: every status, body and error has a kind.
 *
 * @param now Unix milliseconds. Only used if `Retry-After` is a date and the answer has no header `Date`.
 */
export function classify(
  received: Received,
  now: number,
  { items = 1, contentStatuses = CONTENT_STATUSES }: Request = {},
): Answer {
  if ('error' in received) return failed(received)
  const { status } = received
  const json = parseObject(received.body)
  const message = describeAnswer(received)
  if (status >= 200 && status < 300) return succeeded(received, json, items)
  if (status === 401 || status === 403) return { kind: 'credential', status, message }
  // A proxy whose limit is lower than that of Customer.io answers 413 in its own format. The relay can halve a batch. For
  // a single item the status proves nothing, because the proxy may give it to every request.
  if (status === 413 && (items > 1 || refusalOf(json))) return { kind: 'too_large', status, message }
  if (status === 429) return { kind: 'rate_limited', retryAfterMs: retryAfterMs(received, now), message }
  // In the format of Customer.io, these statuses are its verdict on the content. A 4xx in another format comes from a
  // gateway or a wrong URL, and says nothing about the intent: `{"message":"Bad Request"}` must not turn a backlog into
  // dead letters.
  const refusal = contentStatuses.has(status) ? refusalOf(json) : undefined
  if (refusal) return { kind: 'rejected', status, ...refusal }
  return { kind: 'unavailable', status, outcome: failureOutcome(status), message }
}

function failed({ error, written, redirect }: Extract<Received, { readonly error: unknown }>): Answer {
  const what = describeError(error)
  if (redirect !== undefined) {
    const message = `redirect not followed: ${what}`
    return { kind: 'unavailable', status: redirect, outcome: 'not_applied', message }
  }
  const outcome = written ? 'unknown' : 'not_applied'
  return { kind: 'unavailable', status: undefined, outcome, message: what }
}

/** A 500 may follow an applied request, and a failed gateway (502, 504) does not know what the API behind it did. */
function failureOutcome(status: number): Outcome {
  return NOT_TAKEN.has(status) ? 'not_applied' : 'unknown'
}

/** Maps a 2xx. It is a success only if its body is a JSON object, or is empty and the content type is no markup. */
function succeeded(answered: Answered, json: Record<string, unknown> | undefined, items: number): Answer {
  const { status, body, contentType } = answered
  const unclear = (why: string): Answer => ({
    kind: 'unavailable',
    status,
    outcome: 'unknown',
    message: `${why}: ${describeAnswer(answered)}`,
  })
  if (json === undefined && (body.trim() !== '' || isMarkup(contentType)))
    return unclear('answer is not JSON')
  if (hasUnlistedError(json)) return unclear('success status with an error in the body')
  const errors = Array.isArray(json?.errors) ? json.errors : []
  const refused = errors.flatMap((error) => refusedOperation(error, items))
  if (refused.length === errors.length) return { kind: 'accepted', status, refused, ...deliveryIdOf(json) }
  // An error names no item of this request, so it is unknown which items were accepted. A batch is `rejected`, so that the
  // relay halves it. A single item is `rejected` only if the answer is in the format of Customer.io and has no index.
  if (items > 1)
    return { kind: 'rejected', status, message: `errors that name no item: ${describeAnswer(answered)}` }
  const refusal = errors.some(hasIndex) ? undefined : refusalOf(json)
  return refusal ? { kind: 'rejected', status, ...refusal } : unclear('errors that name no item')
}

function isMarkup(contentType: string | undefined): boolean {
  return contentType !== undefined && /\b(html|xml)\b/i.test(contentType)
}

/** Whether an answer has an error outside of its list of errors. */
function hasUnlistedError(json: Record<string, unknown> | undefined): boolean {
  const meta = isObject(json?.meta) ? json.meta : undefined
  const listed = Array.isArray(json?.errors) ? undefined : json?.errors
  return [json?.error, meta?.error, meta?.errors, listed].some(
    (error) => error !== undefined && error !== null && !(Array.isArray(error) && error.length === 0),
  )
}

function refusedOperation(error: unknown, items: number): RefusedOperation[] {
  const known = operationError(error)
  if (!known || !Number.isInteger(known.index)) return []
  const index = known.index as number
  if (index < 0 || index >= items) return []
  const field = documentedField(known.path)
  // The path may have a name that the app chose. So it goes into `message`, which only the dead letter keeps.
  const parts = field === known.path ? [known.message] : [known.path, known.message]
  const message = parts.filter((part) => part !== undefined).join(': ') || undefined
  return [{ index, reason: known.reason ?? 'refused', field, message }]
}

function hasIndex(error: unknown): boolean {
  return isObject(error) && error.batch_index !== undefined
}

function deliveryIdOf(json: Record<string, unknown> | undefined): { readonly deliveryId?: string } {
  const id = json?.delivery_id
  return typeof id === 'string' && DELIVERY_ID.test(id) ? { deliveryId: id } : {}
}

function parseObject(body: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(body)
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}
