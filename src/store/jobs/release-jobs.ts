import type { Database } from '../connection/database.ts'
import type { Heartbeat } from './read-heartbeats.ts'

/** Releases the lane jobs of dead workers, so that other workers can take them. A job with a newer heartbeat than given stays. */
export async function releaseJobs(
  db: Database,
  dead: readonly Pick<Heartbeat, 'id' | 'heartbeat'>[],
): Promise<void> {
  await db.query(
    `UPDATE "${db.names.boss}".job j SET state = 'retry', start_after = clock_timestamp()
     FROM unnest($1::uuid[], $2::text[]) AS dead(id, heartbeat)
     WHERE j.id = dead.id AND j.state = 'active'
       AND coalesce(j.heartbeat_on, j.started_on) = dead.heartbeat::timestamptz`,
    [dead.map(({ id }) => id), dead.map(({ heartbeat }) => heartbeat)],
  )
}
