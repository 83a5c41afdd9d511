import type pg from 'pg'
import type { Names } from '../names.ts'

/** The most holders in the list. */
const MAX_NAMED = 5

/**
 * Lists the sessions and prepared transactions that hold locks on tables of the outbox or of pg-boss, oldest first. Leaves
 * out those that began less than 450 ms ago: they did not cause the lock timeout that a statement has just had.
 *
 * @returns a list as text, or '' if there is no holder, or none that this user may see.
 */
export async function describeLockHolders(
  client: Pick<pg.ClientBase, 'query'>,
  names: Names,
): Promise<string> {
  const { rows } = await client.query<{ holder: string }>(
    `WITH held AS (
       SELECT DISTINCT l.pid, CASE WHEN l.pid IS NULL THEN l.virtualtransaction END AS prepared
       FROM pg_locks l
       WHERE l.granted AND l.locktype = 'relation' AND l.pid IS DISTINCT FROM pg_backend_pid()
         AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
         AND l.relation IN (SELECT oid FROM pg_class
                            WHERE relnamespace IN (to_regnamespace($1), to_regnamespace($2)))
     )
     SELECT CASE WHEN h.pid IS NULL THEN format('prepared transaction %L', p.gid)
                 ELSE format('pid %s (%s)', h.pid, concat_ws(', ', a.usename, nullif(a.application_name, ''),
                   a.state || ' for ' || round(extract(epoch FROM clock_timestamp() - a.xact_start)) || ' s')) END AS holder
     FROM held h LEFT JOIN pg_stat_activity a ON a.pid = h.pid
       LEFT JOIN pg_prepared_xacts p ON p.transaction::text = split_part(h.prepared, '/', 2)
     -- The start of a transaction of another user is hidden from a user without pg_read_all_stats.
     WHERE a.xact_start IS NULL OR a.xact_start < clock_timestamp() - interval '450 milliseconds'
     ORDER BY a.xact_start LIMIT ${MAX_NAMED}`,
    [names.q, `"${names.boss}"`],
  )
  return rows.map(({ holder }) => holder).join(', ')
}
