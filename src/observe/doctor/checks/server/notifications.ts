import { select } from '../../../views/queryable.ts'
import type { Check, Installation } from '../../check.ts'
import { failure, type Finding, ok } from '../../finding.ts'

/** How full the server's queue of notifications is. */
export const notifications: Check = { name: 'notifications', run: checkNotifications }

async function checkNotifications({ db, names }: Installation): Promise<readonly Finding[]> {
  const [row] = await select<{ usage: number; holder: string | null }>(
    db,
    `SELECT usage, holder FROM ${names.q}.notification_queue()`,
  )
  const percent = Math.round((row?.usage ?? 0) * 100)
  const what = `the server's queue of notifications is ${percent} % full`
  if (!row?.holder) return [ok(what)]
  return [failure(`${what}; relays poll instead`, row.holder)]
}
