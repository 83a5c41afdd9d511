import type { Database } from './database.ts'

/**
 * Puts right the times of pg-boss' rows that its own statements compare with the clock, after a step of the database's
 * clock. Without it a lane whose job was made or failed before a step back of an hour waits for an hour, a worker that
 * died is noticed an hour later, and a lane that has been worked for a day is taken from its worker.
 *
 * - A job that waits for a worker has no delay: its `start_after` is never ahead.
 * - A lane that failed waits 30 s at most.
 * - A heartbeat is never ahead. The worker that lives beats again within seconds.
 * - A lane may be worked for any length of time: the heartbeat alone tells a dead worker (pg-boss ends a job after a day).
 * - A queue is due for supervision if it was supervised in the future.
 *
 * @returns the database's clock, in milliseconds since 1970.
 */
export async function mendJobTimes(db: Database): Promise<number> {
  const boss = `"${db.names.boss}"`
  const [row] = await db.query<{ now: number }>(
    `WITH clock AS MATERIALIZED (
       SELECT clock_timestamp() AS now
     ), jobs AS (
       UPDATE ${boss}.job j
       SET start_after = CASE WHEN j.state < 'active' THEN least(j.start_after, now) ELSE j.start_after END,
           heartbeat_on = CASE WHEN j.heartbeat_on > now THEN now ELSE j.heartbeat_on END,
           started_on = CASE WHEN j.state = 'active' THEN now ELSE j.started_on END
       FROM clock
       WHERE j.state = 'created' AND j.start_after > now
          OR j.state = 'retry' AND j.start_after > now + interval '30 seconds'
          OR j.state = 'active' AND (j.heartbeat_on > now OR j.started_on < now - interval '12 hours')
     ), ahead AS (
       SELECT name FROM ${boss}.queue, clock
       WHERE greatest(monitor_claim_on, monitor_on, maintain_on) > now
       ORDER BY name FOR NO KEY UPDATE OF queue SKIP LOCKED
     ), queues AS (
       UPDATE ${boss}.queue q SET monitor_claim_on = NULL, monitor_on = NULL, maintain_on = NULL
       FROM ahead WHERE q.name = ahead.name
     )
     SELECT extract(epoch FROM now)::float8 * 1000 AS now FROM clock`,
  )
  if (!row) throw new Error('the database did not tell its clock')
  return row.now
}
