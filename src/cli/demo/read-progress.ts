import type pg from 'pg'
import { readBacklog } from '../../observe/views/read-backlog.ts'
import { type BreakerStatus, readBreakerState } from '../../observe/views/read-breaker-state.ts'
import { type RelayStatus, readRelayFleet } from '../../observe/views/read-relay-fleet.ts'
import type { Names } from '../../store/names.ts'

/** The state of a run in one snapshot of the database: committed = delivered + dead letters + backlog. */
export interface Progress {
  readonly committed: number
  readonly delivered: number
  readonly backlog: number
  readonly lagSeconds: number
  readonly breaker: BreakerStatus | undefined
  readonly relays: readonly RelayStatus[]
}

/** Reads the state in one read-only transaction, whose statements share a snapshot. */
export async function readProgress(pool: pg.Pool, names: Names, run: string): Promise<Progress> {
  const client = await pool.connect()
  let isBroken = true
  try {
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
    const { rows } = await client.query<{ committed: number; delivered: number }>(
      `SELECT (SELECT count(*)::int FROM outbox_demo.expected WHERE run = $1) AS committed,
              (SELECT count(*)::int FROM ${names.q}.delivered WHERE starts_with(ordering_key, $1)) AS delivered`,
      [run],
    )
    const backlog = await readBacklog(client, names)
    const [breaker] = await readBreakerState(client, names)
    const relays = await readRelayFleet(client, names)
    await client.query('COMMIT')
    isBroken = false
    return {
      committed: rows[0]?.committed ?? 0,
      delivered: rows[0]?.delivered ?? 0,
      backlog: backlog.reduce((sum, row) => sum + row.pending, 0),
      lagSeconds: Math.max(0, ...backlog.map((row) => row.lagSeconds)),
      breaker,
      relays,
    }
  } finally {
    client.release(isBroken)
  }
}
