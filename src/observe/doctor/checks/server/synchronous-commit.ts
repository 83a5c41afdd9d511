import { select } from '../../../views/queryable.ts'
import type { Check, Installation } from '../../check.ts'
import { type Finding, ok, warning } from '../../finding.ts'

/** Whether a crash of the server may lose commits, with their intents. */
export const synchronousCommit: Check = { name: 'synchronous_commit', run: checkSynchronousCommit }

async function checkSynchronousCommit({ db }: Installation): Promise<readonly Finding[]> {
  const [row] = await select<{ value: string; database: string }>(
    db,
    `SELECT current_setting('synchronous_commit') AS value, quote_ident(current_database()) AS database`,
  )
  if (row?.value !== 'off') return [ok(row?.value ?? 'unknown')]
  return [
    warning(
      'off: a crash of the server loses the last commits of every app, with their intents',
      `ALTER DATABASE ${row.database} SET synchronous_commit = on, or set it in the transactions that enqueue`,
    ),
  ]
}
