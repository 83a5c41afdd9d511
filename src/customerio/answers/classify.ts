import type { Answer, Outcome, RefusedOperation } from './answer.ts'
import { describeAnswer } from './describe-answer.ts'
import { describeError } from './describe-error.ts'
import { documentedField } from './documented-field.ts'
import type { Answered, Received } from './received.ts'
import { isObject, operationError, refusalOf } from './refusal-form.ts'
import { retryAfterMs } from './retry-after.ts'

/** With these statuses the request was not applied: it arrived late or too large, or no server was available. */
const NOT_TAKEN = new Set([408, 413, 503])

/** 4xx that reject the content of a request, if the path does not depend on the content. */
const CONTENT_STATUSES: ReadonlySet<number> = new Set([400, 422])

/** Customer.io's ids of messages are in base64url or base64. */
const DELIVERY_ID = /^[A-Za-z0-9+/_=-]{1,128}$/

/** The request that an answer belongs to. */
export interface Request {
  /** Number of items that were sent: an answer may name them by index. Default: 1. */
  readonly items?: number | undefined
  /** 4xx that reject the content. A 404 does if the path depends on the content. Default: 400 and 422. */
  readonly contentStatuses?: ReadonlySet<number> | undefined
}

/**
 * Maps what was received for a request to an `Answer`: the kind says what the answer alone shows. Whose failure it was is
 * decided later, by comparison with other requests (`src/relay/send/attribute.ts`). Pure and total: every status, body and
 * error has a kind.
 *
 * @param now Unix milliseconds, for a `Retry-After` that is a date in an answer without `Date`.
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
  // A proxy with a lower limit than Customer.io's answers in its own format. A batch can be halved. For a single item the
  // status proves nothing, because the proxy may give it to every request.
  if (status === 413 && (items > 1 || refusalOf(json))) return { kind: 'too_large', status, message }
  if (status === 429) return { kind: 'rate_limited', retryAfterMs: retryAfterMs(received, now), message }
  // In the format of Customer.io these are its verdict on the content. Any other 4xx comes from a gateway or a wrong URL
  // and says nothing about the intent: `{"message":"Bad Request"}` must not turn a backlog into dead letters.
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

/** A 2xx counts as success if it is a JSON object, or empty and without a markup content type. */
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
  if (refused.length === errors.length) return { kind: 'accepted', refused, ...deliveryIdOf(json) }
  // An error names no item of this request, so it is unknown which items were accepted. A batch is halved. A single item is
  // rejected only if the answer is in the format of Customer.io and has no index.
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
  // A name that the app chose goes to the dead letter only, which holds the payload too.
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
