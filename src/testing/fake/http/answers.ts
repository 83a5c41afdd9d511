import type { Deciding } from '../model/active-misbehaviours.ts'
import { completeRefusal } from '../model/active-misbehaviours.ts'
import type { Refusal } from '../model/operation.ts'
import type { ErrorForm } from '../routes/parse-request.ts'

/** What goes back to the caller. */
export interface Answer {
  readonly status: number
  readonly body: string
  /** Default: `application/json`. */
  readonly contentType?: string
  readonly headers?: Readonly<Record<string, string>>
}

export const taken: Answer = { status: 200, body: '{}' }

const metaError = (status: number, error: string): Answer => ({
  status,
  body: JSON.stringify({ meta: { error } }),
})

/** The description gives 401 no body; this is JSON, the `unauthorized` misbehaviour's is plain text: both occur. */
export const unauthorized = metaError(401, 'Unauthorized request')
export const notFound = metaError(404, 'Not found')
export const tooManyRequests = metaError(429, 'Too many requests')

/** A whole request refused, in the words of its endpoint. */
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

/** The form of Pipelines, and of some of v1. Which message of a batch an error is about is not said: nor is it published. */
export function refusedAll(status: number, refusals: readonly Refusal[]): Answer {
  return { status, body: JSON.stringify({ meta: { errors: refusals.map(textOf) } }) }
}

function textOf({ field, message }: Refusal): string {
  return field === '' ? message : `${field} ${message}`
}

/** The answer to a batch of which some operations were refused and every other one taken. */
export function partlyRefused(errors: readonly (Refusal & { readonly batch_index: number })[]): Answer {
  return { status: 207, body: JSON.stringify({ errors }) }
}

export function regionAnswer(region: 'us' | 'eu'): Answer {
  const host = region === 'eu' ? 'track-eu.customer.io' : 'track.customer.io'
  return { status: 200, body: JSON.stringify({ url: `https://${host}`, region, environment_id: 1 }) }
}

/** What a misbehaviour answers instead; undefined where it does not answer, or answers in the regular way. */
export function answerOf(misbehaviour: Deciding, form: ErrorForm): Answer | undefined {
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
