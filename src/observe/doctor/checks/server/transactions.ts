import { select } from '../../../views/queryable.ts'
import type { Check, Installation } from '../../check.ts'
import { type Finding, ok, warning } from '../../finding.ts'

/** The most transactions with a line of their own. */
const MOST_NAMED = 5

/** Transactions that are open for long. They keep vacuum from removing dead rows of the queue. */
export const transactions: Check = { name: 'transactions', run: checkTransactions }

interface Old {
  /** Null for a prepared transaction. */
  readonly pid: number | null
  readonly gid: string | null
  readonly account: string
  readonly application: string | null
  readonly state: string | null
  readonly seconds: number
}

async function checkTransactions(installation: Installation): Promise<readonly Finding[]> {
  const { db, limits, user } = installation
  const [rights] = await select<{ seesAll: boolean }>(
    db,
    `SELECT pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') AS "seesAll"`,
  )
  const old = await readOld(installation)
  const minutes = limits.transactionSeconds / 60
  const hidden = rights?.seesAll
    ? []
    : [ok(`those of other users are hidden: to see them, GRANT pg_read_all_stats TO ${user}`)]
  if (old.length === 0) return hidden.length > 0 ? hidden : [ok(`none is open for over ${minutes} minutes`)]
  return [...old.slice(0, MOST_NAMED).map(describe), ...hidden]
}

/** The start of a transaction of another user is NULL for a user without pg_read_all_stats. */
function readOld({ db, limits }: Installation): Promise<Old[]> {
  return select<Old>(
    db,
    `SELECT * FROM (
       SELECT a.pid, NULL::text AS gid, a.usename::text AS account, nullif(a.application_name, '') AS application, a.state,
              extract(epoch FROM clock_timestamp() - a.xact_start)::float8 AS seconds
       FROM pg_stat_activity a
       WHERE a.datname = current_database() AND a.pid <> pg_backend_pid() AND a.backend_type = 'client backend'
       UNION ALL
       SELECT NULL, p.gid, p.owner::text, NULL, 'prepared', extract(epoch FROM clock_timestamp() - p.prepared)::float8
       FROM pg_prepared_xacts p WHERE p.database = current_database()
     ) t WHERE seconds > $1 ORDER BY seconds DESC LIMIT ${MOST_NAMED + 1}`,
    [limits.transactionSeconds],
  )
}

function describe({ pid, gid, account, application, state, seconds }: Old): Finding {
  const open = `open for ${Math.floor(seconds / 60)} min`
  if (pid === null) {
    const name = (gid ?? '').replaceAll("'", "''")
    return warning(
      `prepared transaction '${name}' of user ${account}, ${open}`,
      `ROLLBACK PREPARED '${name}', or COMMIT PREPARED`,
    )
  }
  const who = [`user ${account}`, application && `application ${application}`, state]
    .filter(Boolean)
    .join(', ')
  return warning(`process ${pid} (${who}) has a transaction ${open}`, `SELECT pg_terminate_backend(${pid})`)
}
