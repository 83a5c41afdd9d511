import { select } from '../../../views/queryable.ts'
import type { Check, Installation } from '../../check.ts'
import { failure, type Finding, ok, warning } from '../../finding.ts'

/** Whether `delivered` has its partitions of today and tomorrow, in UTC. Without that of today nothing can be settled. */
export const partitions: Check = { name: 'partitions', run: checkPartitions }

async function checkPartitions({ db, names }: Installation): Promise<readonly Finding[]> {
  const days = await select<{ name: string; present: boolean }>(
    db,
    `SELECT d.name, EXISTS (SELECT FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
                            JOIN pg_class p ON p.oid = i.inhparent JOIN pg_namespace n ON n.oid = p.relnamespace
                            WHERE n.nspname = $1 AND p.relname = 'delivered' AND c.relname = d.name) AS present
     FROM generate_series(0, 1) AS n(day),
       LATERAL (SELECT 'delivered_' || to_char(clock_timestamp() AT TIME ZONE 'UTC' + make_interval(days => n.day), 'YYYYMMDD')) d(name)
     ORDER BY n.day`,
    [names.schema],
  )
  const [today, tomorrow] = days
  const next = `SELECT ${names.q}.ensure_partitions()`
  if (!today?.present)
    return [failure(`${today?.name} is missing, the partition of today: the next settlement makes it`, next)]
  if (!tomorrow?.present) return [warning(`${tomorrow?.name} is missing, the partition of tomorrow`, next)]
  return [ok(`delivered has those of today and tomorrow: ${today.name}, ${tomorrow.name}`)]
}
