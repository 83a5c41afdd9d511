import type { Database } from './database.ts'

export type BreakerState = 'closed' | 'open' | 'half_open' | 'paused' | 'rejecting'

/** A row of `outbox.breakers`, its times as milliseconds from now by the database's clock (negative: past). */
export interface BreakerRow {
  readonly destination: string
  readonly state: BreakerState
  readonly failureCount: number
  /** Null where only a person resumes it. */
  readonly retryInMs: number | null
  readonly heldForMs: number | null
  readonly probeRelay: string | null
  readonly probeLeftMs: number | null
}

/** `SELECT`s every row, with the columns of `BreakerRow`. */
export function breakerRows(q: string): string {
  return `SELECT destination, state, failure_count AS "failureCount",
            extract(epoch FROM retry_at - clock_timestamp())::float8 * 1000 AS "retryInMs",
            extract(epoch FROM held_until - clock_timestamp())::float8 * 1000 AS "heldForMs",
            probe_relay AS "probeRelay",
            extract(epoch FROM probe_until - clock_timestamp())::float8 * 1000 AS "probeLeftMs"
     FROM ${q}.breakers`
}

export async function readBreakers(db: Database): Promise<BreakerRow[]> {
  return db.query<BreakerRow & Record<string, unknown>>(breakerRows(db.names.q))
}
