import { inspect } from 'node:util'
import type { Answer, Outcome, RefusedOperation } from './answer.ts'

/** A response, whatever it says. */
interface Answered {
  readonly status: number
  readonly contentType: string | undefined
  readonly body: string
  readonly retryAfter: string | undefined
  /** When it was given, by the clock of whoever gave it. */
  readonly date?: string | undefined
}

/** What came back: a response, or the error instead of one. */
export type Result =
  | Answered
  | {
      readonly error: unknown
      /** Whether the request may have arrived where it would be taken. */
      readonly written: boolean
    }

/** Longest piece of an answer that is kept in a row or a log: answers are the API's words, not our payloads. */
const MESSAGE_LENGTH = 500

/** So much of an error page is read for its words. */
const MARKUP_LENGTH = 20_000

/** Whoever answers these has not taken the request: it was not had in time, or there is nobody to take it. */
const NOT_TAKEN = new Set([408, 503])

/** 4xx that blame the content of a request whose path is always the same. */
const CONTENT_STATUSES = new Set([400, 422])

/**
 * Decides whose fault an answer is. Pure and total: every status, body and error has its kind.
 *
 * @param now Unix ms, for a `Retry-After` that is a date in an answer that does not say when it was given.
 * @param contentStatuses Which 4xx blame the content: where a path names what is sent, a 404 does.
 */
export function classify(
  result: Result,
  now: number,
  contentStatuses: ReadonlySet<number> = CONTENT_STATUSES,
): Answer {
  if ('error' in result) {
    const outcome = result.written ? 'unknown' : 'not_applied'
    return { kind: 'unavailable', status: undefined, outcome, message: describeError(result.error) }
  }
  const { status, body } = result
  const json = parseObject(body)
  const message = explain(json, body)
  if (status >= 200 && status < 300) return succeeded(result, json)
  if (status === 401 || status === 403) return { kind: 'credential', status, message }
  if (status === 413) return { kind: 'too_large', status, message }
  if (status === 429) {
    return { kind: 'rate_limited', retryAfterMs: retryAfterMs(result, now), message }
  }
  // In JSON these are the API's own word about the content. Another 4xx, or one in HTML, comes from a proxy or a wrong
  // address and says nothing about the intent: a gateway's 404 must not bury a backlog.
  if (contentStatuses.has(status) && json !== undefined && (status !== 404 || isOwnRefusal(json))) {
    return { kind: 'rejected', status, field: firstError(json)?.field, message }
  }
  return { kind: 'unavailable', status, outcome: failureOutcome(status), message }
}

/** A 2xx counts where it is JSON, or empty and not declared to be something else. */
function succeeded(
  { status, body, contentType }: Answered,
  json: Record<string, unknown> | undefined,
): Answer {
  if (json === undefined && (body.trim() !== '' || isMarkup(contentType))) {
    const message = `answer is not JSON: ${wordsOf(body) || excerpt(contentType ?? '')}`
    return { kind: 'unavailable', status, outcome: 'unknown', message }
  }
  return accepted(status, json)
}

/** A 500 may come after the deed, and a gateway that failed (502, 504) cannot say what the API behind it did. */
function failureOutcome(status: number): Outcome {
  return NOT_TAKEN.has(status) ? 'not_applied' : 'unknown'
}

/** Customer.io's own form of a refusal, which a gateway that knows no route does not have. */
function isOwnRefusal(json: Record<string, unknown>): boolean {
  const meta = isObject(json.meta) ? json.meta : {}
  return meta.error !== undefined || meta.errors !== undefined || Array.isArray(json.errors)
}

function isMarkup(contentType: string | undefined): boolean {
  return contentType !== undefined && /\b(html|xml)\b/i.test(contentType)
}

/** A 2xx that names errors which belong to no operation has taken nobody knows what: it is halved, like a 400. */
function accepted(status: number, json: Record<string, unknown> | undefined): Answer {
  const refused = refusedOperations(json)
  const named = Array.isArray(json?.errors) ? json.errors.length : 0
  const meta = isObject(json?.meta) ? json.meta : undefined
  const unplaced = json?.error ?? meta?.error ?? meta?.errors ?? (named === 0 ? json?.errors : undefined)
  if (unplaced !== undefined && !(Array.isArray(unplaced) && unplaced.length === 0)) {
    const message = `a ${status} that speaks of an error: ${excerpt(JSON.stringify(json))}`
    return { kind: 'unavailable', status, outcome: 'unknown', message }
  }
  if (named > refused.length) {
    return { kind: 'rejected', status, field: json && firstError(json)?.field, message: explain(json, '') }
  }
  const deliveryId = text(json?.delivery_id)
  return { kind: 'accepted', refused, ...(deliveryId === undefined ? {} : { deliveryId }) }
}

function refusedOperations(json: Record<string, unknown> | undefined): RefusedOperation[] {
  const errors = Array.isArray(json?.errors) ? json.errors : []
  return errors.flatMap((error): RefusedOperation[] => {
    if (!isObject(error) || !Number.isInteger(error.batch_index)) return []
    return [
      {
        index: error.batch_index as number,
        reason: text(error.reason) ?? 'refused',
        field: text(error.field),
        message: text(error.message),
      },
    ]
  })
}

/**
 * `Retry-After` in seconds, or as an HTTP date, which counts from the answer's own `Date`: this host's clock may be off.
 * At most an hour, so that a broken clock cannot stop a queue.
 */
function retryAfterMs({ retryAfter, date }: Answered, now: number): number | undefined {
  if (retryAfter === undefined) return undefined
  const seconds = Number(retryAfter)
  const answeredAt = Date.parse(date ?? '')
  const ms = Number.isFinite(seconds)
    ? seconds * 1000
    : Date.parse(retryAfter) - (Number.isNaN(answeredAt) ? now : answeredAt)
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), 3_600_000)
}

function explain(json: Record<string, unknown> | undefined, body: string): string {
  const meta = json?.meta
  if (isObject(meta)) {
    const words =
      text(meta.error) ?? (Array.isArray(meta.errors) ? meta.errors.map(said).join('; ') : undefined)
    if (words) return excerpt(words)
  }
  const error = json && firstError(json)
  if (error) return excerpt([error.reason, error.field, error.message].filter(Boolean).join(': '))
  return wordsOf(body)
}

/** Of a proxy's error page what a person would see of it. */
function wordsOf(body: string): string {
  if (!/^\s*</.test(body)) return excerpt(body)
  const seen = body
    .slice(0, MARKUP_LENGTH)
    .replace(/<(script|style)\b[\s\S]*?<\/\1\s*>|<!--[\s\S]*?-->|<[^>]*>/gi, ' ')
    .replace(/\s+/g, ' ')
  return excerpt(seen) || excerpt(body)
}

/** Not String(…): an object from the network may have a `toString` of its own. */
function said(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

function firstError(json: Record<string, unknown>) {
  const error = Array.isArray(json.errors) ? json.errors.find(isObject) : undefined
  return error && { reason: text(error.reason), field: text(error.field), message: text(error.message) }
}

/** Of an address only the host is said: a redirect may have put anything behind it, or before it. */
function describeError(error: unknown): string {
  return excerpt(nameError(error).replace(/\b(https?:\/\/)(?:[^\s/?#]*@)?([^\s/?#]*)\S*/gi, '$1$2'))
}

/** undici wraps what went wrong in "fetch failed": the cause says more. */
function nameError(error: unknown): string {
  if (!(error instanceof Error)) return typeof error === 'string' ? error : inspect(error)
  const cause = error.cause instanceof Error ? error.cause : undefined
  const code = (cause as NodeJS.ErrnoException | undefined)?.code
  if (cause)
    return code && !cause.message.includes(code) ? `${code}: ${cause.message}` : cause.message || String(code)
  return `${error.name}: ${error.message}`
}

function parseObject(body: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(body)
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? excerpt(value) : undefined
}

function excerpt(value: string): string {
  // NUL cannot be stored as text, and control characters have no place in a log line.
  return value
    .replace(/\p{Cc}+/gu, ' ')
    .trim()
    .slice(0, MESSAGE_LENGTH)
}
