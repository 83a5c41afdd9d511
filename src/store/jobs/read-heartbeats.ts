import type { Database } from '../connection/database.ts'

/** The last sign of life of the worker that has a lane job. */
export interface Heartbeat {
  readonly id: string
  /** A time as text, to be compared with another only. */
  readonly heartbeat: string
  /** How old it is by the database's clock, which may have stepped meanwhile. */
  readonly ageMs: number
}

/**
 * Reads the heartbeats of all lane jobs that are worked, and ends waits that a step of the database's clock has left. Without
 * that, a lane whose job was made or failed before a step back of an hour waits for an hour.
 *
 * - A job that waits for a worker has no delay: its `start_after` is never ahead.
 * - A lane that failed waits 30 s at most.
 */
export async function readHeartbeats(db: Database): Promise<Heartbeat[]> {
  const boss = `"${db.names.boss}"`
  return db.query<Heartbeat & Record<string, unknown>>(
    `WITH mended AS (
       UPDATE ${boss}.job SET start_after = clock_timestamp()
       WHERE state = 'created' AND start_after > clock_timestamp()
          OR state = 'retry' AND start_after > clock_timestamp() + interval '30 seconds'
     )
     SELECT id, coalesce(heartbeat_on, started_on)::text AS heartbeat,
            date_part('epoch', clock_timestamp() - coalesce(heartbeat_on, started_on)) * 1000 AS "ageMs"
     FROM ${boss}.job WHERE state = 'active'`,
  )
}
