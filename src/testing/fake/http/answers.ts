import type { DecidingMisbehaviour } from '../model/active-misbehaviours.ts'
import { completeRefusal } from '../model/active-misbehaviours.ts'
import type { Refusal } from '../model/operation.ts'
import type { ErrorForm } from '../routes/parse-request.ts'

/** The HTTP answer to the caller. */
export interface Answer {
  readonly status: number
  readonly body: string
  /** Default: `application/json`. */
  readonly contentType?: string
  readonly headers?: Readonly<Record<string, string>>
}

export const ok: Answer = { status: 200, body: '{}' }

const metaError = (status: number, error: string): Answer => ({
  status,
  body: JSON.stringify({ meta: { error } }),
})

/**
 * In the published description a 401 has no body. In practice both JSON and plain text occur. This answer is JSON. That of
 * the misbehaviour `unauthorized` is plain text.
 */
export const unauthorized = metaError(401, 'Unauthorized request')
export const notFound = metaError(404, 'Not found')
export const tooManyRequests = metaError(429, 'Too many requests')

/** The answer that refuses a whole request, in the error format of its endpoint. */
export function refused(form: ErrorForm, status: number, refusal: Refusal): Answer {
  if (form === 'batch' || form === 'v2') return { status, body: JSON.stringify({ errors: [refusal] }) }
  if (form === 'v1Errors') return refusedAll(status, [refusal])
  if (form === 'trigger') {
    const source = { pointer: `/data/attributes/${refusal.field.replace(/[.[].*/, '')}` }
    const error = { detail: textOf(refusal), source, status: String(status) }
    return { status, body: JSON.stringify({ errors: [error] }) }
  }
  return metaError(status, textOf(refusal))
}

/**
 * The answer that refuses a request in the error format of Pipelines and of some v1 endpoints. It does not say which
 * message of a batch an error is about, because Customer.io publishes no such field.
 */
export function refusedAll(status: number, refusals: readonly Refusal[]): Answer {
  return { status, body: JSON.stringify({ meta: { errors: refusals.map(textOf) } }) }
}

function textOf({ field, message }: Refusal): string {
  return field === '' ? message : `${field} ${message}`
}

/** The answer to a batch in which the listed operations were refused and all others applied. */
export function partlyRefused(errors: readonly (Refusal & { readonly batch_index: number })[]): Answer {
  return { status: 207, body: JSON.stringify({ errors }) }
}

export function regionAnswer(region: 'us' | 'eu'): Answer {
  const host = region === 'eu' ? 'track-eu.customer.io' : 'track.customer.io'
  return { status: 200, body: JSON.stringify({ url: `https://${host}`, region, environment_id: 1 }) }
}

/** The answer of a misbehaviour. Undefined if the misbehaviour gives no answer or the regular one. */
export function answerOf(misbehaviour: DecidingMisbehaviour, form: ErrorForm): Answer | undefined {
  switch (misbehaviour.kind) {
    case 'outage':
      return page(misbehaviour.status ?? 503, 'Service Unavailable')
    case 'html':
      return page(misbehaviour.status ?? 502, 'Bad Gateway')
    case 'rateLimit': {
      const { retryAfter } = misbehaviour
      if (retryAfter === undefined) return tooManyRequests
      return { ...tooManyRequests, headers: { 'retry-after': String(retryAfter) } }
    }
    case 'serverError':
    case 'failOn':
      return metaError(misbehaviour.status ?? 500, 'Internal server error')
    case 'unauthorized':
      return { status: misbehaviour.status ?? 401, body: 'Unauthorized', contentType: 'text/plain' }
    case 'badRequest':
      return refused(form, 400, completeRefusal(misbehaviour.refusal ?? {}))
    case 'garbage':
      return { status: 200, body: misbehaviour.body ?? 'OK', contentType: 'text/plain' }
    case 'redirect':
      return { status: misbehaviour.status ?? 301, body: '', headers: { location: misbehaviour.location } }
    default:
      return undefined
  }
}

function page(status: number, title: string): Answer {
  const body = `<!DOCTYPE html><html><head><title>${status} ${title}</title></head><body><h1>${title}</h1></body></html>`
  return { status, body, contentType: 'text/html' }
}
