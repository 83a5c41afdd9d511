import type { Database } from '../connection/database.ts'

/** How long the worker of a job has been watched without a new heartbeat. */
export interface Silence {
  readonly id: string
  /** Its last heartbeat, as `readHeartbeats` returned it. */
  readonly heartbeat: string
  readonly silentMs: number
}

/**
 * Records in the jobs how long their workers have been silent. The next watcher adds its own time to it, as long as the
 * heartbeat is still the same one. Otherwise a relay that runs for less time than a worker must be silent could never tell
 * that a worker is dead.
 */
export async function recordSilences(db: Database, silences: readonly Silence[]): Promise<void> {
  await db.query(
    `UPDATE "${db.names.boss}".job j
     SET output = jsonb_build_object('heartbeat', s.heartbeat, 'silentMs', s.silent_ms)
     FROM unnest($1::uuid[], $2::text[], $3::float8[]) AS s(id, heartbeat, silent_ms)
     WHERE j.id = s.id AND j.state = 'active'
       AND coalesce(j.heartbeat_on, j.started_on) = s.heartbeat::timestamptz`,
    [
      silences.map(({ id }) => id),
      silences.map(({ heartbeat }) => heartbeat),
      silences.map(({ silentMs }) => silentMs),
    ],
  )
}
