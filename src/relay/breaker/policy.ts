import {
  BrokenCircuitError,
  CircuitState,
  ConsecutiveBreaker,
  circuitBreaker,
  ExponentialBackoff,
  handleWhenResult,
  retry,
} from 'cockatiel'
import type { Answer } from '../../customerio/answers/answer.ts'
import type { ResolvedRelayOptions } from '../options-schema.ts'

export type PolicySettings = Pick<ResolvedRelayOptions, 'breaker' | 'retry'>

/** How a request may be retried within one `run`. */
export interface SendOptions {
  /**
   * - `always`: every failure of the destination is retried.
   * - `unless unknown`: a request that may have taken effect is not retried.
   * - `never`: one request, such as a canary's.
   *
   * @default 'always'
   */
  readonly retries?: 'always' | 'unless unknown' | 'never'
  /** No retry begins once it is aborted. */
  readonly stopping?: AbortSignal
  /**
   * Whether a failure counts for the breaker, or a refused credential pauses the destination. A failure that does not count
   * is not retried.
   *
   * @default every failure counts
   */
  readonly counts?: (failure: Unavailable | CredentialRefused) => boolean
}

export type Unavailable = Extract<Answer, { kind: 'unavailable' }>
export type CredentialRefused = Extract<Answer, { kind: 'credential' }>

/** The rules of one state: cockatiel's breaker, and how a request runs under it. */
export interface Policy {
  /** cockatiel's own state. The fleet's is in `SharedState`. */
  readonly state: CircuitState
  /** Failures in a row that counted. */
  readonly consecutiveFailures: number
  readonly lastFailure: Unavailable | undefined
  /** @throws {BrokenCircuitError} if the breaker opened before the request. */
  execute(send: () => Promise<Answer>, how?: SendOptions): Promise<Answer>
}

/** The longest delay of a timer (2^31 − 1 ms), so that cockatiel never half-opens a breaker. Postgres decides when. */
const NEVER = 2_147_483_647

/**
 * Counts consecutive failures of the destination, and retries them quickly while the breaker is closed. Retry is outside
 * and breaker inside, so the breaker counts every request: five failures are five requests.
 */
export function closedPolicy(settings: PolicySettings): Policy {
  const counter = new ConsecutiveBreaker(settings.breaker.failures)
  const breaker = circuitBreaker(handleWhenResult(isUnavailable), { halfOpenAfter: NEVER, breaker: counter })
  const { maxRetries, initialDelayMs } = settings.retry
  const retryWhen = { always: isUnavailable, 'unless unknown': isNotApplied }
  const execute = async (
    send: () => Promise<Answer>,
    { retries = 'always', stopping, counts = () => true }: SendOptions = {},
  ) => {
    let counted = true
    const once = async () => {
      if (breaker.state !== CircuitState.Closed) throw new BrokenCircuitError()
      const answer = await send()
      counted = answer.kind !== 'unavailable' || counts(answer)
      // If the breaker opened meanwhile, the answer belongs to a straggler and does not count.
      if (counted && breaker.state === CircuitState.Closed) await breaker.execute(() => answer)
      return answer
    }
    if (maxRetries === 0 || retries === 'never') return once()
    const retrying = retry(
      handleWhenResult((result) => counted && retryWhen[retries](result)),
      { maxAttempts: maxRetries, backoff: new ExponentialBackoff({ initialDelay: initialDelayMs }) },
    )
    let last: Answer | undefined
    // cockatiel checks the signal before its delay, and not after it.
    return retrying.execute(async () => {
      if (last === undefined || !stopping?.aborted) last = await once()
      return last
    }, stopping)
  }
  return policyOf(breaker, counter, execute)
}

/**
 * Samples as many probes as must succeed, without retries. An answer about the credential or the rate limit is no
 * success: otherwise cockatiel would close the breaker on a 401.
 */
export function probePolicy({ breaker: settings }: PolicySettings): Policy {
  const counter = new ConsecutiveBreaker(settings.failures)
  const breaker = circuitBreaker(handleWhenResult(isNoSuccess), {
    halfOpenAfter: NEVER,
    halfOpenSampling: { calls: settings.successes, threshold: 0 },
    breaker: counter,
    initialState: { ownState: { value: CircuitState.Open, openedAt: 0, attemptNo: 1 }, breakerState: 0 },
  })
  return policyOf(breaker, counter, (send) => breaker.execute(send))
}

function policyOf(
  breaker: ReturnType<typeof circuitBreaker>,
  counter: ConsecutiveBreaker,
  execute: Policy['execute'],
): Policy {
  return {
    get state() {
      return breaker.state
    },
    get consecutiveFailures() {
      return counter.state
    },
    get lastFailure() {
      const failure = breaker.lastFailure
      return failure && 'value' in failure ? (failure.value as Unavailable) : undefined
    },
    execute,
  }
}

function isUnavailable(result: unknown): boolean {
  return (result as Answer).kind === 'unavailable'
}

function isNotApplied(result: unknown): boolean {
  const answer = result as Answer
  return answer.kind === 'unavailable' && answer.outcome === 'not_applied'
}

function isNoSuccess(result: unknown): boolean {
  const { kind } = result as Answer
  return kind === 'unavailable' || kind === 'credential' || kind === 'rate_limited'
}
