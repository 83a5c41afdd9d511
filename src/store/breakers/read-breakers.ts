import type { Database } from '../connection/database.ts'

export type BreakerState = 'closed' | 'open' | 'half_open' | 'paused' | 'rejecting'

/** A row of `outbox.breakers`, its times as milliseconds from now by the database's clock (negative: past). */
export interface BreakerRow {
  readonly destination: string
  readonly state: BreakerState
  readonly failureCount: number
  /** Null where only a person resumes it. */
  readonly retryInMs: number | null
  readonly rateLimitedForMs: number | null
  readonly probeRelay: string | null
  readonly probeLeftMs: number | null
}

/**
 * The database's clock has stepped back since the failure for which the destination waits: how long it still waits is not
 * known, and it is tried now. Every wait is set together with `last_failure_at`, and a later failure ends the waits that the
 * former one proves wrong (`ENDS_FORMER_WAITS`). So after a step back a destination waits no longer than one more delay,
 * however large the step.
 */
export const CLOCK_STEPPED_BACK = 'coalesce(last_failure_at > clock_timestamp(), false)'

/** SQL: the same of the row `b` that an `ON CONFLICT DO UPDATE` is about to give another `last_failure_at`. */
export const INVALIDATES_EARLIER_WAITS = 'coalesce(b.last_failure_at > clock_timestamp(), false)'

/** A probe's lease is never longer: twice the longest `requestTimeoutMs`. What ends later was set by another clock. */
const LONGEST_LEASE = "interval '240 seconds'"

/** SQL: whether the lease of a probe has ended. */
export const LEASE_ENDED = `(probe_until <= clock_timestamp() OR probe_until > clock_timestamp() + ${LONGEST_LEASE})`

/** `SELECT`s the rows of the destinations in the parameter `names`, with the columns of `BreakerRow`. */
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
