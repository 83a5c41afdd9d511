import { documentedField } from './documented-field.ts'

/** A refusal in a form that Customer.io documents. A gateway that knows no route, or a firewall, has another one. */
export interface Refusal {
  readonly field: string | undefined
  /** Customer.io's own text, bounded; it may quote the payload. */
  readonly message: string
}

/** One entry of `errors`, each text bounded. */
export interface OperationError {
  /** As it came: nothing says yet that the batch has this place. */
  readonly index: unknown
  readonly reason: string | undefined
  /** As it came: it may be a name that the app chose. */
  readonly path: string | undefined
  readonly message: string | undefined
}

/** Longest piece of an answer that is kept in a dead letter. */
const MESSAGE_LENGTH = 500
const REASON_LENGTH = 100

/**
 * The refusal of a whole request:
 *
 * - `{"meta":{"error":"…"}}` or `{"meta":{"errors":["…"]}}`: Track v1, App, Pipelines;
 * - `{"errors":[{"reason":"…","field":"…","message":"…"}]}`: Track v2;
 * - `{"errors":[{"detail":"…","source":{"pointer":"…"}}]}`: broadcasts.
 *
 * @returns undefined for any other form.
 */
export function refusalOf(json: Readonly<Record<string, unknown>> | undefined): Refusal | undefined {
  if (json === undefined) return undefined
  const words = metaWords(json.meta)
  if (words !== undefined) return { field: undefined, message: excerpt(words) }
  if (!Array.isArray(json.errors)) return undefined
  const errors = json.errors.map(operationError)
  const [first] = errors
  if (first && errors.every((error) => error?.reason !== undefined && error.message !== undefined)) {
    const message = [first.reason, first.path, first.message].filter(Boolean).join(': ')
    return { field: documentedField(first.path), message: excerpt(message) }
  }
  return broadcastRefusal(json.errors)
}

/** Undefined if it has neither a reason nor a message. */
export function operationError(error: unknown): OperationError | undefined {
  if (!isObject(error)) return undefined
  const [reason, path, message] = [text(error.reason), text(error.field), text(error.message)]
  if (reason === undefined && message === undefined) return undefined
  return { index: error.batch_index, reason: reason?.slice(0, REASON_LENGTH), path, message }
}

function metaWords(meta: unknown): string | undefined {
  if (!isObject(meta)) return undefined
  const { error, errors } = meta
  if (typeof error === 'string') return text(error)
  if (!Array.isArray(errors) || errors.length === 0) return undefined
  return errors.every((each) => typeof each === 'string') ? text(errors.join('; ')) : undefined
}

function broadcastRefusal(errors: readonly unknown[]): Refusal | undefined {
  const details = errors.map((error) =>
    isObject(error) && isObject(error.source) && typeof error.source.pointer === 'string'
      ? text(error.detail)
      : undefined,
  )
  if (details.length === 0 || details.includes(undefined)) return undefined
  return { field: undefined, message: excerpt(details.join('; ')) }
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? excerpt(value) : undefined
}

function excerpt(value: string): string {
  // NUL cannot be stored as text, and control characters have no place in a report.
  return value
    .slice(0, 2 * MESSAGE_LENGTH)
    .replace(/\p{Cc}+/gu, ' ')
    .trim()
    .slice(0, MESSAGE_LENGTH)
}
