import { select } from '../../../views/queryable.ts'
import type { Check, Installation } from '../../check.ts'
import { type Finding, ok, warning } from '../../finding.ts'

/** Dead rows of the tables that change most, and whether vacuum removes them. */
export const deadRows: Check = { name: 'dead_rows', run: checkDeadRows }

interface Row {
  readonly name: string
  readonly dead: number
  /** Seconds since the last vacuum, automatic or not. Null: none since the statistics began. */
  readonly vacuumed: number | null
}

async function checkDeadRows({ db, names, limits }: Installation): Promise<readonly Finding[]> {
  const rows = await select<Row>(
    db,
    `SELECT relname::text AS name, n_dead_tup::float8 AS dead,
            extract(epoch FROM clock_timestamp() - greatest(last_vacuum, last_autovacuum))::float8 AS vacuumed
     FROM pg_stat_all_tables WHERE schemaname = $1 AND relname IN ('intents', 'dedup', 'lanes') ORDER BY n_dead_tup DESC`,
    [names.schema],
  )
  const many = rows.filter(
    ({ dead, vacuumed }) =>
      dead > limits.deadRows && (vacuumed ?? Number.POSITIVE_INFINITY) > limits.vacuumSeconds,
  )
  if (many.length === 0) return [ok(rows.map(describe).join('; '))]
  return many.map((row) =>
    warning(describe(row), `VACUUM ${names.q}.${row.name}; if the number stays, end the old transactions`),
  )
}

function describe({ name, dead, vacuumed }: Row): string {
  const last = vacuumed === null ? 'never' : `${Math.round(vacuumed / 60)} min ago`
  return `${name}: ${dead.toLocaleString('en-US')} dead rows, last vacuum ${last}`
}
