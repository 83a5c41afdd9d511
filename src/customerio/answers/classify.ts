import type { Answer, Outcome, RefusedOperation } from './answer.ts'
import { describeAnswer } from './describe-answer.ts'
import { describeError } from './describe-error.ts'
import { documentedField } from './documented-field.ts'
import type { Answered, Received } from './received.ts'
import { isObject, operationError, refusalOf } from './refusal-form.ts'
import { retryAfterMs } from './retry-after.ts'

/** A server that answers these has not taken the request: it did not arrive in time, or no server was there to take it. */
const NOT_TAKEN = new Set([408, 413, 503])

/** 4xx that blame the content of a request whose path is always the same. */
const CONTENT_STATUSES: ReadonlySet<number> = new Set([400, 422])

/** Customer.io's ids of messages are base64url or base64. */
const DELIVERY_ID = /^[A-Za-z0-9+/_=-]{1,128}$/

export interface Request {
  /** How many items were sent: an answer may name them by their places. Default: 1. */
  readonly items?: number | undefined
  /** Which 4xx blame the content: if a path names what is sent, a 404 does. Default: 400 and 422. */
  readonly contentStatuses?: ReadonlySet<number> | undefined
}

/**
 * Decides whose fault an answer is. Pure and total: every status, body and error has its kind.
 *
 * @param now Unix ms, for a `Retry-After` that is a date in an answer that does not say when it was given.
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
  // A proxy with a smaller limit than Customer.io's answers in its own form: a batch is smaller in two halves. Of a single
  // item that says nothing, because the proxy may answer so to everything.
  if (status === 413 && (items > 1 || refusalOf(json))) return { kind: 'too_large', status, message }
  if (status === 429) return { kind: 'rate_limited', retryAfterMs: retryAfterMs(received, now), message }
  // In its own form these are Customer.io's verdict on the content. Any other 4xx comes from a gateway or a wrong address
  // and says nothing about the intent: `{"message":"Bad Request"}` must not bury a backlog.
  const refusal = contentStatuses.has(status) ? refusalOf(json) : undefined
  if (refusal) return { kind: 'rejected', status, ...refusal }
  return { kind: 'unavailable', status, outcome: failureOutcome(status), message }
}

function failed({ error, written, redirect }: Extract<Received, { readonly error: unknown }>): Answer {
  const what = describeError(error)
  if (redirect !== undefined) {
    const message = `a redirect that is not followed: ${what}`
    return { kind: 'unavailable', status: redirect, outcome: 'not_applied', message }
  }
  const outcome = written ? 'unknown' : 'not_applied'
  return { kind: 'unavailable', status: undefined, outcome, message: what }
}

/** A 500 may come after the deed, and a gateway that failed (502, 504) cannot say what the API behind it did. */
function failureOutcome(status: number): Outcome {
  return NOT_TAKEN.has(status) ? 'not_applied' : 'unknown'
}

/** A 2xx counts if it is a JSON object, or empty and not declared to be markup. */
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
  if (speaksOfAnError(json)) return unclear('a success that speaks of an error')
  const errors = Array.isArray(json?.errors) ? json.errors : []
  const refused = errors.flatMap((error) => refusedOperation(error, items))
  if (refused.length === errors.length) return { kind: 'accepted', refused, ...deliveryIdOf(json) }
  // Some error names no item of this request: nothing tells which items were taken. A batch is halved, and the answer to a
  // single item condemns it only if it is Customer.io's own and names no place.
  if (items > 1)
    return { kind: 'rejected', status, message: `errors that name no item: ${describeAnswer(answered)}` }
  const refusal = errors.some(hasPlace) ? undefined : refusalOf(json)
  return refusal ? { kind: 'rejected', status, ...refusal } : unclear('errors that name no item')
}

function isMarkup(contentType: string | undefined): boolean {
  return contentType !== undefined && /\b(html|xml)\b/i.test(contentType)
}

/** An error outside of the list of errors. */
function speaksOfAnError(json: Record<string, unknown> | undefined): boolean {
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
  // A name that the app chose goes to the dead letter alone, which has the payload beside it.
  const parts = field === known.path ? [known.message] : [known.path, known.message]
  const message = parts.filter((part) => part !== undefined).join(': ') || undefined
  return [{ index, reason: known.reason ?? 'refused', field, message }]
}

function hasPlace(error: unknown): boolean {
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
