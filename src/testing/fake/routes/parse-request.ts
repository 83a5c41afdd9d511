import { type AppRequest, isTriggerPath, parseApp } from './app-routes.ts'
import {
  type FakeApi,
  type FakeOperation,
  invalid,
  isRecord,
  type Refusal,
  tooLarge,
} from '../model/operation.ts'
import { isPipelinesPath, type PipelinesRequest, parsePipelines } from './pipelines-routes.ts'
import { publishedLimits } from '../model/published-limits.ts'
import { parseV1 } from './v1-routes.ts'

/** The error format of an endpoint. */
export type ErrorForm = 'batch' | 'v2' | 'v1Error' | 'v1Errors' | 'trigger'

/** A routed request. Its `operations` are unchecked; those of the Track API are in v2 form. */
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
  | AppRequest
  | PipelinesRequest

/** The largest body that the fake keeps. Every endpoint refuses a larger one. Bytes. */
export function bodyBytesKept(path: string): number {
  return isTriggerPath(path) ? publishedLimits.broadcastBytes : 4_000_000
}

export function apiOf(path: string): FakeApi {
  if (!path.startsWith('/v1/')) return 'track'
  return isPipelinesPath(path) ? 'pipelines' : 'app'
}

export interface RawRequest {
  readonly method: string
  readonly path: string
  /** Length of the whole body, even if it was too long to be kept. */
  readonly bytes: number
  readonly body: Buffer
  /** Whether the request has the header `X-Strict-Mode: 1`. */
  readonly strict: boolean
}

/** Routes a request and parses its body. */
export function parseRequest(request: RawRequest): ParsedRequest {
  const { method, path, bytes, strict } = request
  const read = () => readJson(request)
  if (method === 'POST' && path === '/api/v2/batch') return parseBatch(request)
  if (method === 'POST' && path === '/api/v2/entity') return parseEntity(request)
  if (path.startsWith('/api/v1/')) return parseV1(method, path, read)
  switch (apiOf(path)) {
    case 'track':
      return { kind: 'unknown' }
    case 'app':
      return parseApp(method, path, bytes, bodyBytesKept(path), read)
    case 'pipelines':
      return method === 'POST' ? parsePipelines(path, bytes, strict, read) : { kind: 'unknown' }
  }
}

/** Customer.io's description names no status for a body over 500 KB. The fake answers 413, and 400 to a malformed body. */
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

/** The parsed body. Undefined if it is not JSON or was too long to be kept. JSON itself has no undefined. */
function readJson({ path, body, bytes }: RawRequest): unknown {
  if (bytes > bodyBytesKept(path)) return undefined
  try {
    return JSON.parse(body.toString('utf8'))
  } catch {
    return undefined
  }
}
