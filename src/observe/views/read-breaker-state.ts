import type { Names } from '../../store/names.ts'
import { type Queryable, select } from './queryable.ts'

/** The breaker of a destination, shared by the fleet: a row of the view `breaker_state`. */
export interface BreakerStatus {
  readonly destination: string
  /**
   * `paused`: Customer.io refused the credential or, if `retryAt` is null, an operator paused the destination.
   * `rejecting`: Customer.io rejected most of the last intents, and an operator must decide about further delivery.
   */
  readonly state: 'closed' | 'open' | 'half_open' | 'paused' | 'rejecting'
  /** Failures in a row. */
  readonly failureCount: number
  readonly lastFailureAt: Date | null
  /** The last error of Customer.io or the network. If an operator paused the destination, the operator and the reason. */
  readonly lastError: string | null
  readonly openedAt: Date | null
  /** Time of the next probe or, after a 429, of the next request. Null without a wait, or if only an operator ends it. */
  readonly retryAt: Date | null
  /** Seconds since `openedAt`, by the database's clock. */
  readonly openSeconds: number | null
  /** Seconds until `retryAt`, by the database's clock; at least 0. */
  readonly retrySeconds: number | null
}

/**
 * Reads the breakers of all destinations that have failed, or were rate limited, paused, or stopped after rejections. Other
 * breakers are closed.
 */
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
