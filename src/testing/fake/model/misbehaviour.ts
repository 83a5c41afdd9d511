import type { FakeApi, FakeOperation, Refusal } from './operation.ts'

/** A request as a `match` predicate sees it. */
export interface FakeRequest {
  readonly method: string
  /** Without the query: `/api/v2/batch`. */
  readonly path: string
  readonly api: FakeApi
  /**
   * As they arrived, before any check: in v2 form for the Track API, as `{ kind, body }` for the others. Empty where the
   * body could not be read.
   */
  readonly operations: readonly FakeOperation[]
}

interface Scope {
  /** How many requests it affects before it ends by itself. Minimum 1. Default: no end. */
  readonly times?: number
  /** Which requests it affects. Default: every one. */
  readonly match?: (request: FakeRequest) => boolean
}

interface Ambiguous {
  /**
   * Whether the operations take effect (`apply`) or not (`before`) although the caller learns neither. With `apply`, what
   * the credentials or the checks refuse still has no effect.
   */
  readonly after?: 'apply' | 'before'
}

/** Every answer is held back. Operations take effect on arrival, so a caller that times out has still delivered. */
export interface Latency extends Scope {
  readonly kind: 'latency'
  /** Milliseconds, added to `latencyMs` and to other latencies. */
  readonly ms: number
}

/** The service is down behind its proxy: an HTML page and nothing taken. */
export interface Outage extends Scope {
  readonly kind: 'outage'
  /** Default: 503. */
  readonly status?: number
}

/** 429 with a JSON body. */
export interface RateLimit extends Scope {
  readonly kind: 'rateLimit'
  /** Seconds, or an HTTP date; sent as `Retry-After`. Default: no such header. */
  readonly retryAfter?: number | string
}

/** An error of the service, with a JSON body. `after` defaults to `before`. */
export interface ServerError extends Scope, Ambiguous {
  readonly kind: 'serverError'
  /** 500 to 599. Default: 500. */
  readonly status?: number
}

/**
 * Refuses single operations: 207 with the rest taken in a batch of the Track API, 400 on its other endpoints; on the
 * Pipelines API 400 for the request in strict mode, else 200 with the rest taken. Affects only requests that carry such an
 * operation, and none of the App API: there `badRequest` does the same.
 */
export interface Refuse extends Scope {
  readonly kind: 'refuse'
  /** `true` or a refusal refuses the operation; `false` or undefined lets it pass. */
  readonly operation: (operation: FakeOperation) => Partial<Refusal> | boolean | undefined
}

/** 401 with a plain-text body, whatever the credentials, and whatever the mode: a key that was rotated or revoked. */
export interface Unauthorized extends Scope {
  readonly kind: 'unauthorized'
  /** Default: 401. */
  readonly status?: 401 | 403
}

/** The black hole: takes the request and never answers. `after` defaults to `before`. */
export interface Hang extends Scope, Ambiguous {
  readonly kind: 'hang'
}

/** The connection is reset instead of an answer. */
export interface Reset extends Scope, Required<Ambiguous> {
  readonly kind: 'reset'
}

/** An HTML page from something in between. `after` defaults to `before`. */
export interface Html extends Scope, Ambiguous {
  readonly kind: 'html'
  /** Default: 502. */
  readonly status?: number
}

/** 400 for the whole request when it carries an operation that the predicate names; nothing is taken. */
export interface BadRequest extends Scope {
  readonly kind: 'badRequest'
  readonly operation: (operation: FakeOperation) => boolean
  /** What the answer says of it. */
  readonly refusal?: Partial<Refusal>
}

/** An operation that the service chokes on: 500 for the whole request; nothing is taken. */
export interface FailOn extends Scope {
  readonly kind: 'failOn'
  readonly operation: (operation: FakeOperation) => boolean
  /** 500 to 599. Default: 500. */
  readonly status?: number
}

/** 200 with a body that is no JSON. `after` defaults to `apply`. */
export interface Garbage extends Scope, Ambiguous {
  readonly kind: 'garbage'
  /** Default: `OK`. */
  readonly body?: string
}

/** Sends the caller elsewhere; nothing is taken. */
export interface Redirect extends Scope {
  readonly kind: 'redirect'
  /** The value of `Location`. */
  readonly location: string
  /** Default: 301, as for a workspace of the other region. */
  readonly status?: 301 | 302 | 307 | 308
}

/** A regular answer, at one byte per interval. */
export interface Drip extends Scope {
  readonly kind: 'drip'
  /** Milliseconds between two bytes of the body. */
  readonly everyMs: number
}

/**
 * What the fake does wrong on request. Misbehaviours are looked at in the order in which they were declared: latencies and
 * refusals add up, of all others the first that affects a request decides, so a sequence of `times: 1` is a script.
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
