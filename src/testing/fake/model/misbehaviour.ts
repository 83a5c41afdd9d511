import type { FakeApi, FakeOperation, Refusal } from './operation.ts'

/**
 * A request as a `match` predicate sees it.
 *
 * @example
 * ```ts
 * import { type FakeRequest, startFakeCustomerIo } from 'customerio-outbox/testing'
 *
 * const carriesEvent = ({ operations }: FakeRequest) => operations.some(({ action }) => action === 'event')
 * await using fake = await startFakeCustomerIo()
 * fake.misbehave({ kind: 'reset', after: 'apply', times: 1, match: carriesEvent })
 * ```
 */
export interface FakeRequest {
  readonly method: string
  /** Without the query: `/api/v2/batch`. */
  readonly path: string
  readonly api: FakeApi
  /**
   * The operations as they arrived, before any check: in v2 form for the Track API, as `{ kind, body }` for the others.
   * Empty if the body could not be read.
   */
  readonly operations: readonly FakeOperation[]
}

interface Scope {
  /**
   * After this many affected requests the misbehaviour ends by itself. At least 1.
   *
   * @default undefined (no end)
   */
  readonly times?: number
  /**
   * Selects the requests that the misbehaviour affects.
   *
   * @default undefined (every request)
   */
  readonly match?: (request: FakeRequest) => boolean
}

interface Ambiguous {
  /**
   * Whether the operations take effect (`apply`) or not (`before`). The caller cannot tell which. Even with `apply`,
   * operations that the credentials or the checks refuse have no effect.
   */
  readonly after?: 'apply' | 'before'
}

/** Delays the answer. Operations take effect on arrival, so a request that times out at the caller is delivered. */
export interface Latency extends Scope {
  readonly kind: 'latency'
  /** Milliseconds, at least 0. Added to the fake's `latencyMs` and to other latencies. */
  readonly ms: number
}

/** The service is down behind its proxy: the answer is an HTML page, and nothing takes effect. */
export interface Outage extends Scope {
  readonly kind: 'outage'
  /** @default 503 */
  readonly status?: number
}

/** The answer is 429 with a JSON body, and nothing takes effect. */
export interface RateLimit extends Scope {
  readonly kind: 'rateLimit'
  /**
   * The value of the header `Retry-After`: seconds, or an HTTP date.
   *
   * @default undefined (no such header)
   */
  readonly retryAfter?: number | string
}

/** The answer is an error of the service with a JSON body. `after` defaults to `before`. */
export interface ServerError extends Scope, Ambiguous {
  readonly kind: 'serverError'
  /**
   * 500 to 599.
   *
   * @default 500
   */
  readonly status?: number
}

/**
 * Refuses the operations that the predicate selects, and affects only requests that carry such an operation. The answer
 * depends on the API:
 *
 * - Track API: a batch gets 207 and its other operations take effect; the other endpoints answer 400.
 * - Pipelines API: 400 for the whole request in strict mode, else 200 and the other messages take effect.
 * - App API: not affected. Use `badRequest` there.
 */
export interface Refuse extends Scope {
  readonly kind: 'refuse'
  /** Refuses the operation by returning `true` or a refusal, and accepts it by returning `false` or undefined. */
  readonly operation: (operation: FakeOperation) => Partial<Refusal> | boolean | undefined
}

/**
 * A key that was rotated or revoked: the answer is 401 with a plain-text body, for any credentials and with or without
 * strict mode. Nothing takes effect.
 */
export interface Unauthorized extends Scope {
  readonly kind: 'unauthorized'
  /** @default 401 */
  readonly status?: 401 | 403
}

/** The fake receives the request and never answers. `after` defaults to `before`. */
export interface Hang extends Scope, Ambiguous {
  readonly kind: 'hang'
}

/** The fake resets the connection (TCP RST) instead of answering. `after` is required. */
export interface Reset extends Scope, Required<Ambiguous> {
  readonly kind: 'reset'
}

/** The answer is an HTML page, as a proxy between caller and service sends it. `after` defaults to `before`. */
export interface Html extends Scope, Ambiguous {
  readonly kind: 'html'
  /** @default 502 */
  readonly status?: number
}

/** Answers 400 to a whole request if it carries an operation that the predicate selects. Nothing takes effect. */
export interface BadRequest extends Scope {
  readonly kind: 'badRequest'
  /** Selects the operations that cause the refusal. */
  readonly operation: (operation: FakeOperation) => boolean
  /**
   * The refusal that the answer reports. Absent fields take their defaults.
   *
   * @default { reason: 'invalid', field: '', message: 'refused by the test' }
   */
  readonly refusal?: Partial<Refusal>
}

/**
 * Answers 5xx to a whole request if it carries an operation that the predicate selects, as if the operation crashed the
 * service. Nothing takes effect.
 */
export interface FailOn extends Scope {
  readonly kind: 'failOn'
  /** Selects the operations that cause the failure. */
  readonly operation: (operation: FakeOperation) => boolean
  /**
   * 500 to 599.
   *
   * @default 500
   */
  readonly status?: number
}

/** The answer is 200 with a body that is not JSON. `after` defaults to `apply`. */
export interface Garbage extends Scope, Ambiguous {
  readonly kind: 'garbage'
  /** @default 'OK' */
  readonly body?: string
}

/** The answer redirects the caller to another URL. Nothing takes effect. */
export interface Redirect extends Scope {
  readonly kind: 'redirect'
  /** The value of `Location`. */
  readonly location: string
  /**
   * Customer.io answers 301 for a workspace of the other region.
   *
   * @default 301
   */
  readonly status?: 301 | 302 | 307 | 308
}

/** The regular answer, sent at one byte per interval. */
export interface Drip extends Scope {
  readonly kind: 'drip'
  /** Milliseconds between two bytes of the body, at least 0. */
  readonly everyMs: number
}

/**
 * A fault that the fake produces on request of the test: see `kind`.
 *
 * The fake evaluates misbehaviours in the order of the `misbehave` calls. Latencies and refusals add up. Of all other
 * kinds the first one that affects a request decides its answer, so several calls with `times: 1` form a script.
 *
 * @example
 * ```ts
 * import { type Misbehaviour, startFakeCustomerIo } from 'customerio-outbox/testing'
 *
 * const script: Misbehaviour[] = [
 *   { kind: 'rateLimit', retryAfter: 1, times: 1 },
 *   { kind: 'reset', after: 'apply', times: 1 },
 *   { kind: 'serverError', status: 503, times: 2 },
 * ]
 * await using fake = await startFakeCustomerIo()
 * for (const step of script) fake.misbehave(step)
 * ```
 */
export type Misbehaviour =
  | Latency
  | Outage
  | RateLimit
  | ServerError
  | Refuse
  | Unauthorized
  | Hang
  | Reset
  | Html
  | BadRequest
  | FailOn
  | Garbage
  | Redirect
  | Drip
