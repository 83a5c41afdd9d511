import { type FakeOperation, invalid, isRecord, type Refusal, tooLarge } from './operation.ts'
import { publishedLimits } from './published-limits.ts'
import { parseV1 } from './v1-routes.ts'

/** How an endpoint words a refusal. */
export type ErrorForm = 'batch' | 'v2' | 'v1Error' | 'v1Errors'

/** A request as one of a closed set; `operations` are in v2 form and unchecked. */
export type ParsedRequest =
  | { readonly kind: 'operations'; readonly form: ErrorForm; readonly operations: readonly FakeOperation[] }
  /** The whole request is refused. */
  | {
      readonly kind: 'malformed'
      readonly form: ErrorForm
      readonly status: 400 | 413
      readonly refusal: Refusal
    }
  | { readonly kind: 'region' }
  | { readonly kind: 'unknown' }

/** More than this is not kept while it arrives; the answer is 413 on every endpoint. */
export const bodyBytesKept = 4_000_000

export interface RawRequest {
  readonly method: string
  readonly path: string
  /** Of the whole body, also where it was too long to be kept. */
  readonly bytes: number
  readonly body: Buffer
}

/** Routes and reads a request. */
export function parseRequest(request: RawRequest): ParsedRequest {
  const { method, path } = request
  if (method === 'POST' && path === '/api/v2/batch') return parseBatch(request)
  if (method === 'POST' && path === '/api/v2/entity') return parseEntity(request)
  if (!path.startsWith('/api/v1/')) return { kind: 'unknown' }
  return parseV1(method, path, () => readJson(request))
}

/** The description names no status for a body over 500 KB; the usual one for it is 413, apart from "malformed", 400. */
function parseBatch(request: RawRequest): ParsedRequest {
  const form = 'batch'
  if (request.bytes > publishedLimits.batchBytes) return bodyTooLarge(form, publishedLimits.batchBytes)
  const body = readJson(request)
  if (!isRecord(body)) return malformed(form, invalid('', 'the body must be a JSON object'))
  if (!Array.isArray(body.batch)) return malformed(form, invalid('batch', 'must be an array of operations'))
  if (body.batch.length === 0) return malformed(form, invalid('batch', 'must not be empty'))
  return { kind: 'operations', form, operations: body.batch }
}

function parseEntity(request: RawRequest): ParsedRequest {
  const form = 'v2'
  if (request.bytes > publishedLimits.operationBytes)
    return bodyTooLarge(form, publishedLimits.operationBytes)
  const body = readJson(request)
  if (!isRecord(body)) return malformed(form, invalid('', 'the body must be a JSON object'))
  return { kind: 'operations', form, operations: [body] }
}

function malformed(form: ErrorForm, refusal: Refusal): ParsedRequest {
  return { kind: 'malformed', form, status: 400, refusal }
}

function bodyTooLarge(form: ErrorForm, limit: number): ParsedRequest {
  const refusal = tooLarge('', `the body must be at most ${limit} bytes`)
  return { kind: 'malformed', form, status: 413, refusal }
}

/** Undefined where the body is no JSON: JSON itself has no undefined. */
function readJson({ body, bytes }: RawRequest): unknown {
  if (bytes > bodyBytesKept) return undefined
  try {
    return JSON.parse(body.toString('utf8'))
  } catch {
    return undefined
  }
}
