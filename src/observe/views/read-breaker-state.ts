import type { Names } from '../../store/names.ts'
import { type Queryable, select } from './queryable.ts'

/** A destination's breaker as the whole fleet has it: a row of the view `breaker_state`. */
export interface BreakerStatus {
  readonly destination: string
  /**
   * `paused`: the credential was refused or, if `retryAt` is null, a person paused it. `rejecting`: Customer.io rejected
   * most of the last intents, and a person decides whether delivery goes on.
   */
  readonly state: 'closed' | 'open' | 'half_open' | 'paused' | 'rejecting'
  /** Failures in a row. */
  readonly failureCount: number
  readonly lastFailureAt: Date | null
  /** What Customer.io, or the network, said last; who paused it and why, where a person did. */
  readonly lastError: string | null
  readonly openedAt: Date | null
  /** When it is tried next. */
  readonly retryAt: Date | null
  /** Seconds since `openedAt`, by the database's clock. */
  readonly openSeconds: number | null
  /** Seconds until `retryAt`, by the database's clock; at least 0. */
  readonly retrySeconds: number | null
}

/** Destinations that ever failed; one that never did has no row, and a closed breaker. */
export function readBreakerState(db: Queryable, names: Names): Promise<BreakerStatus[]> {
  return select<BreakerStatus>(
    db,
    `SELECT destination, state, failure_count AS "failureCount", last_failure_at AS "lastFailureAt",
            last_error AS "lastError", opened_at AS "openedAt", retry_at AS "retryAt",
            extract(epoch FROM clock_timestamp() - opened_at)::float8 AS "openSeconds",
            greatest(0, extract(epoch FROM retry_at - clock_timestamp()))::float8 AS "retrySeconds"
     FROM ${names.q}.breaker_state ORDER BY destination`,
  )
}
