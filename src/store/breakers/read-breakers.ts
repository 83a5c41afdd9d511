import type { Database } from '../connection/database.ts'

export type BreakerState = 'closed' | 'open' | 'half_open' | 'paused' | 'rejecting'

/** A row of `outbox.breakers`. Times are milliseconds from now by the database's clock; past times are negative. */
export interface BreakerRow {
  readonly destination: string
  readonly state: BreakerState
  readonly failureCount: number
  /** Null if only an operator resumes the destination. */
  readonly retryInMs: number | null
  readonly rateLimitedForMs: number | null
  readonly probeRelay: string | null
  readonly probeLeftMs: number | null
}

/**
 * SQL: whether the database's clock has stepped back since the failure for which the destination waits. Then the
 * remaining wait is unknown, so a relay tries the destination now.
 *
 * Every wait is set together with `last_failure_at`. A later failure ends earlier waits if the clock has stepped back
 * (`INVALIDATES_EARLIER_WAITS`). So after a step of any size a destination waits for one more delay at most.
 */
export const CLOCK_STEPPED_BACK = 'coalesce(last_failure_at > clock_timestamp(), false)'

/** SQL: `CLOCK_STEPPED_BACK` for the row `b` whose `last_failure_at` an `ON CONFLICT DO UPDATE` is about to replace. */
export const INVALIDATES_EARLIER_WAITS = 'coalesce(b.last_failure_at > clock_timestamp(), false)'

/** The longest lease of a probe: twice the longest `requestTimeoutMs`. If more is left, the clock has stepped back. */
const LONGEST_LEASE = "interval '240 seconds'"

/** SQL: whether the lease of a probe has ended. */
export const LEASE_ENDED = `(probe_until <= clock_timestamp() OR probe_until > clock_timestamp() + ${LONGEST_LEASE})`

/** SQL: selects the rows of the destinations in the parameter `names`, with the columns of `BreakerRow`. */
export function breakerRows(q: string, names: string): string {
  return `SELECT destination, state, failure_count AS "failureCount",
            extract(epoch FROM CASE WHEN ${CLOCK_STEPPED_BACK} AND retry_at > clock_timestamp()
                                    THEN clock_timestamp()
                                    ELSE retry_at END - clock_timestamp())::float8 * 1000 AS "retryInMs",
            CASE WHEN NOT ${CLOCK_STEPPED_BACK}
                 THEN extract(epoch FROM rate_limited_until - clock_timestamp())::float8 * 1000 END AS "rateLimitedForMs",
            probe_relay AS "probeRelay",
            CASE WHEN ${LEASE_ENDED} THEN 0
                 ELSE extract(epoch FROM probe_until - clock_timestamp())::float8 * 1000 END AS "probeLeftMs"
     FROM ${q}.breakers WHERE destination = ANY (${names}::text[])`
}

export async function readBreakers(db: Database, destinations: readonly string[]): Promise<BreakerRow[]> {
  return db.query<BreakerRow & Record<string, unknown>>(breakerRows(db.names.q, '$1'), [destinations])
}
