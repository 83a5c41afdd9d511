import type { Database } from '../connection/database.ts'

/** The last heartbeat of the worker that has a lane job. */
export interface Heartbeat {
  readonly id: string
  /** A time as text. Compare it only for equality. */
  readonly heartbeat: string
  /** The heartbeat's age in milliseconds by the database's clock, which may have stepped since the heartbeat. */
  readonly ageMs: number
  /** Milliseconds for which former relays watched the worker without a heartbeat after this one: see `recordSilences`. */
  readonly silentMs: number
}

/**
 * Reads the heartbeats of all active lane jobs, and ends waits that a step of the database's clock has lengthened.
 * Otherwise a lane whose job was created or failed before a step back of an hour would wait for an hour.
 *
 * A step has lengthened the wait of a job
 *
 * - in state `created`, if `start_after` is in the future, because a created job has no delay,
 * - in state `retry`, if `start_after` is more than 30 s ahead, because a failed lane waits for 30 s at most.
 */
export async function readHeartbeats(db: Database): Promise<Heartbeat[]> {
  const boss = `"${db.names.boss}"`
  return db.query<Heartbeat & Record<string, unknown>>(
    `WITH corrected AS (
       UPDATE ${boss}.job SET start_after = clock_timestamp()
       WHERE state = 'created' AND start_after > clock_timestamp()
          OR state = 'retry' AND start_after > clock_timestamp() + interval '30 seconds'
     )
     SELECT id, coalesce(heartbeat_on, started_on)::text AS heartbeat,
            date_part('epoch', clock_timestamp() - coalesce(heartbeat_on, started_on)) * 1000 AS "ageMs",
            CASE WHEN output ->> 'heartbeat' = coalesce(heartbeat_on, started_on)::text
                 THEN (output ->> 'silentMs')::float8 ELSE 0 END AS "silentMs"
     FROM ${boss}.job WHERE state = 'active'`,
  )
}
