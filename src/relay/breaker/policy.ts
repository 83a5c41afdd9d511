import {
  BrokenCircuitError,
  type CircuitBreakerPolicy,
  CircuitState,
  ConsecutiveBreaker,
  circuitBreaker,
  ExponentialBackoff,
  handleWhenResult,
  retry,
} from 'cockatiel'
import type { Answer } from '../../customerio/answers/answer.ts'
import type { ResolvedRelayOptions } from '../options.ts'

export type PolicySettings = Pick<ResolvedRelayOptions, 'breaker' | 'retry'>

/** How a request may be retried within one `run`. */
export interface SendOptions {
  /**
   * `unless unknown`: no quick retry of a request that may have taken effect. `never`: one attempt, for a look at
   * whether others pass. Default: `always`.
   */
  readonly retries?: 'always' | 'unless unknown' | 'never'
  /** No retry begins once it is aborted. */
  readonly stopping?: AbortSignal
  /**
   * Whether a failure counts against the destination, or a refused credential pauses it; no quick retry follows a failure
   * that does not count. Default: every one does.
   */
  readonly counts?: (failure: Unavailable | CredentialRefused) => boolean
}

export type Unavailable = Extract<Answer, { kind: 'unavailable' }>
export type CredentialRefused = Extract<Answer, { kind: 'credential' }>

/** One state's rules: cockatiel's breaker, and how a request runs under it. */
export interface Policy {
  readonly breaker: CircuitBreakerPolicy
  execute(send: () => Promise<Answer>, how?: SendOptions): Promise<Answer>
}

/** Longest delay that a timer takes (2^31 − 1 ms): Postgres decides when a breaker half-opens, not cockatiel. */
const NEVER = 2_147_483_647

/**
 * Counts consecutive failures of the destination, and retries them quickly while it is closed. Retry is outside
 * and breaker inside, so that the breaker sees every attempt: five failures are five requests.
 */
export function closedPolicy(settings: PolicySettings, onFailure: (failure: Unavailable) => void): Policy {
  const breaker = circuitBreaker(handleWhenResult(isUnavailable), {
    halfOpenAfter: NEVER,
    breaker: new ConsecutiveBreaker(settings.breaker.failures),
  })
  breaker.onFailure(({ reason }) => {
    if ('value' in reason) onFailure(reason.value as Unavailable)
  })
  const { attempts, initialDelayMs } = settings.retry
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
      // Where it has opened meanwhile the answer is a straggler's, and counts no more.
      if (counted && breaker.state === CircuitState.Closed) await breaker.execute(() => answer)
      return answer
    }
    if (attempts === 0 || retries === 'never') return once()
    const retrying = retry(
      handleWhenResult((result) => counted && retryWhen[retries](result)),
      { maxAttempts: attempts, backoff: new ExponentialBackoff({ initialDelay: initialDelayMs }) },
    )
    let last: Answer | undefined
    // cockatiel looks at the signal before its delay and not after it.
    return retrying.execute(async () => {
      if (last === undefined || !stopping?.aborted) last = await once()
      return last
    }, stopping)
  }
  return { breaker, execute }
}

/**
 * Samples as many probes as must succeed, without retries. An answer about the credential or the rate is no
 * success here: cockatiel would close the breaker on a 401.
 */
export function probePolicy({ breaker: settings }: PolicySettings): Policy {
  const breaker = circuitBreaker(handleWhenResult(isNoSuccess), {
    halfOpenAfter: NEVER,
    halfOpenSampling: { calls: settings.successes, threshold: 0 },
    breaker: new ConsecutiveBreaker(settings.failures),
    initialState: { ownState: { value: CircuitState.Open, openedAt: 0, attemptNo: 1 }, breakerState: 0 },
  })
  return { breaker, execute: (send) => breaker.execute(send) }
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
