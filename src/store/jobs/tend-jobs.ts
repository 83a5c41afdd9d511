import type { Database } from '../connection/database.ts'

export interface TendOptions {
  /** A worker that has not beaten for longer has died. */
  readonly heartbeatSeconds: number
  /**
   * Nothing is taken back if the database's clock says more than this, in milliseconds since 1970: it has stepped ahead, and
   * the heartbeats of workers that live look missed. Undefined: nothing is taken back.
   */
  readonly latestClockMs: number | undefined
}

/**
 * Takes the lane jobs of pg-boss back from workers that died, and puts right the times that pg-boss compares with the clock,
 * after a step of the database's clock. Without that, a lane whose job was made or failed before a step back of an hour waits
 * for an hour, and a worker that died is noticed an hour later.
 *
 * - A job that waits for a worker has no delay: its `start_after` is never ahead.
 * - A lane that failed waits 30 s at most.
 * - A heartbeat is never ahead. The worker that lives beats again within seconds.
 *
 * pg-boss' own supervision would do the first in about ten statements, and between two of them the clock can step. Here the
 * clock that is compared with the heartbeats is the one that was compared with `latestClockMs`.
 *
 * @returns the database's clock, in milliseconds since 1970.
 */
export async function tendJobs(
  db: Database,
  { heartbeatSeconds, latestClockMs }: TendOptions,
): Promise<number> {
  const [row] = await db.query<{ now: number }>(
    `WITH clock AS MATERIALIZED (
       SELECT clock_timestamp() AS now
     ), tended AS MATERIALIZED (
       SELECT now, extract(epoch FROM now)::float8 * 1000 AS ms,
              CASE WHEN extract(epoch FROM now)::float8 * 1000 <= $2::float8
                   THEN now - make_interval(secs => $1) ELSE '-infinity' END AS dead_before
       FROM clock
     ), jobs AS (
       UPDATE "${db.names.boss}".job j
       SET state = CASE WHEN j.state = 'active' AND j.heartbeat_on < dead_before THEN 'retry' ELSE j.state END,
           start_after = least(j.start_after, now),
           heartbeat_on = least(j.heartbeat_on, now)
       FROM tended
       WHERE j.state = 'created' AND j.start_after > now
          OR j.state = 'retry' AND j.start_after > now + interval '30 seconds'
          OR j.state = 'active' AND (j.heartbeat_on > now OR j.heartbeat_on < dead_before)
     )
     SELECT ms AS now FROM tended`,
    [heartbeatSeconds, latestClockMs],
  )
  if (!row) throw new Error('the database did not tell its clock')
  return row.now
}
