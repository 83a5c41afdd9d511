import { databaseProblemOf, innermostError } from '../../../../store/connection/describe-error.ts'
import type { Names } from '../../../../store/names.ts'
import { type Queryable, select } from '../../../views/queryable.ts'
import { failure, type Finding, ok } from '../../finding.ts'

interface Row {
  readonly version: string
  readonly number: number
  readonly name: string
  readonly user: string
  readonly encoding: string
  readonly standby: boolean
  readonly migrated: boolean
}

/** What the database answers first. */
export type Connected =
  | {
      readonly state: 'connected'
      readonly finding: Finding
      readonly user: string
      readonly isMigrated: boolean
    }
  | { readonly state: 'unreachable'; readonly finding: Finding }

/** Whether the database answers, and is one that relays can use. Never rejects. */
export async function connect(db: Queryable, names: Names): Promise<Connected> {
  try {
    const [row] = await select<Row>(
      db,
      `SELECT current_setting('server_version') AS version, current_setting('server_version_num')::int AS number,
              current_database() AS name, quote_ident(current_user) AS user,
              current_setting('server_encoding') AS encoding, pg_is_in_recovery() AS standby,
              EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                      WHERE n.nspname = $1 AND c.relname = 'migrations') AS migrated`,
      [names.schema],
    )
    if (!row) throw new Error('the server sent no row')
    return { state: 'connected', finding: judge(row), user: row.user, isMigrated: row.migrated }
  } catch (error) {
    const problem = databaseProblemOf(error)
    const what = problem?.what ?? innermostError(error).message
    return { state: 'unreachable', finding: failure(what, problem?.next ?? 'check DATABASE_URL') }
  }
}

function judge({ version, number, name, user, encoding, standby }: Row): Finding {
  const what = `PostgreSQL ${version}, database ${name}, user ${user}`
  if (number < 140_000) return failure(what, 'upgrade the server to PostgreSQL 14 or later')
  if (encoding !== 'UTF8')
    return failure(`${what}, encoding ${encoding}`, 'use a database of encoding UTF8; see README.md')
  if (standby) return failure(`${what}: a standby, which takes no writes`, 'set DATABASE_URL to the primary')
  return ok(what)
}
