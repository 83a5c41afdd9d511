import { type FakeOperation, invalid, isRecord, type Refusal, tooLarge } from '../model/operation.ts'
import { publishedLimits } from '../model/published-limits.ts'

/** A request of the Pipelines API. */
export interface PipelinesRequest {
  readonly kind: 'messages'
  readonly form: 'v1Errors'
  /** Whether the request has `X-Strict-Mode: 1`. Without it every answer is 200. */
  readonly strict: boolean
  /** Each as `{ kind, body }`, unchecked. An entry of a batch that is not an object is left unchanged. */
  readonly operations: readonly FakeOperation[]
  /** Why the request as a whole cannot be served. */
  readonly refusal: Refusal | undefined
}

const kinds: ReadonlySet<string> = new Set(['identify', 'track', 'page', 'screen', 'group', 'alias'])

export function isPipelinesPath(path: string): boolean {
  const kind = path.slice('/v1/'.length)
  return path.startsWith('/v1/') && (kind === 'batch' || kinds.has(kind))
}

export function isMessageKind(kind: unknown): boolean {
  return typeof kind === 'string' && kinds.has(kind)
}

/** Parses a POST to a path for which {@link isPipelinesPath} is true. */
export function parsePipelines(
  path: string,
  bytes: number,
  strict: boolean,
  read: () => unknown,
): PipelinesRequest {
  const kind = path.slice('/v1/'.length)
  const limit = kind === 'batch' ? publishedLimits.pipelinesBatchBytes : publishedLimits.pipelinesMessageBytes
  if (bytes > limit) return refuse(strict, tooLarge('', `the body must be at most ${limit} bytes`))
  const body = read()
  if (!isRecord(body)) return refuse(strict, invalid('', 'the body must be a JSON object'))
  if (kind === 'batch') return parseBatch(body, strict)
  return serve(strict, [{ kind, body }])
}

function parseBatch(body: Record<string, unknown>, strict: boolean): PipelinesRequest {
  const { batch, context, integrations } = body
  if (!Array.isArray(batch)) return refuse(strict, invalid('batch', 'must be an array of messages'))
  if (batch.length === 0) return refuse(strict, invalid('batch', 'must not be empty'))
  for (const [field, value] of Object.entries({ context, integrations }))
    if (value !== undefined && !isRecord(value)) return refuse(strict, invalid(field, 'must be an object'))
  return serve(
    strict,
    batch.map((message) => (isRecord(message) ? { kind: String(message.type), body: message } : message)),
  )
}

function serve(strict: boolean, operations: readonly FakeOperation[]): PipelinesRequest {
  return { kind: 'messages', form: 'v1Errors', strict, operations, refusal: undefined }
}

function refuse(strict: boolean, refusal: Refusal): PipelinesRequest {
  return { kind: 'messages', form: 'v1Errors', strict, operations: [], refusal }
}
