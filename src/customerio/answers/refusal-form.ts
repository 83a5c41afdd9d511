import { documentedField } from './documented-field.ts'

/** A refusal in a format that Customer.io documents. Firewalls, and gateways without a route, answer in others. */
export interface Refusal {
  readonly field: string | undefined
  /** Text of Customer.io, at most 500 characters. It may quote the payload. */
  readonly message: string
}

/** One entry of `errors`. Each text has at most 500 characters. */
export interface OperationError {
  /** Not checked: the batch may have no such index. */
  readonly index: unknown
  readonly reason: string | undefined
  /** Not checked: it may be a name that the app chose. */
  readonly path: string | undefined
  readonly message: string | undefined
}

/** Maximum characters of an answer that a dead letter keeps. */
const MESSAGE_LENGTH = 500
const REASON_LENGTH = 100

/**
 * Reads the refusal of a whole request:
 *
 * - `{"meta":{"error":"…"}}` or `{"meta":{"errors":["…"]}}`: Track v1, App, Pipelines;
 * - `{"errors":[{"reason":"…","field":"…","message":"…"}]}`: Track v2;
 * - `{"errors":[{"detail":"…","source":{"pointer":"…"}}]}`: broadcasts.
 *
 * @returns undefined for any other format.
 */
export function refusalOf(json: Readonly<Record<string, unknown>> | undefined): Refusal | undefined {
  if (json === undefined) return undefined
  const stated = metaText(json.meta)
  if (stated !== undefined) return { field: undefined, message: excerpt(stated) }
  if (!Array.isArray(json.errors)) return undefined
  const errors = json.errors.map(operationError)
  const [first] = errors
  if (first && errors.every((error) => error?.reason !== undefined && error.message !== undefined)) {
    const message = [first.reason, first.path, first.message].filter(Boolean).join(': ')
    return { field: documentedField(first.path), message: excerpt(message) }
  }
  return broadcastRefusal(json.errors)
}

/** One entry of `errors`; undefined if it has neither a reason nor a message. */
export function operationError(error: unknown): OperationError | undefined {
  if (!isObject(error)) return undefined
  const [reason, path, message] = [text(error.reason), text(error.field), text(error.message)]
  if (reason === undefined && message === undefined) return undefined
  return { index: error.batch_index, reason: reason?.slice(0, REASON_LENGTH), path, message }
}

function metaText(meta: unknown): string | undefined {
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
  // Postgres cannot store NUL as text, and other control characters would break the output of a report.
  return value
    .slice(0, 2 * MESSAGE_LENGTH)
    .replace(/\p{Cc}+/gu, ' ')
    .trim()
    .slice(0, MESSAGE_LENGTH)
}
