import { select } from '../../../views/queryable.ts'
import type { Check, Installation } from '../../check.ts'
import { failure, type Finding, ok, warning } from '../../finding.ts'

/**
 * Whether `delivered` and `history` have their partitions of today and tomorrow, in UTC. Without that of today nothing can be
 * settled or recorded.
 */
export const partitions: Check = { name: 'partitions', run: checkPartitions }

interface Partition {
  readonly name: string
  readonly day: 'today' | 'tomorrow'
  readonly present: boolean
}

async function checkPartitions({ db, names }: Installation): Promise<readonly Finding[]> {
  const wanted = await select<Partition>(
    db,
    `SELECT d.name, CASE n.day WHEN 0 THEN 'today' ELSE 'tomorrow' END AS day,
            EXISTS (SELECT FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
                      JOIN pg_class p ON p.oid = i.inhparent JOIN pg_namespace s ON s.oid = p.relnamespace
                    WHERE s.nspname = $1 AND p.relname = t.parent AND c.relname = d.name) AS present
     FROM unnest('{delivered,history}'::text[]) AS t(parent), generate_series(0, 1) AS n(day),
       LATERAL (SELECT t.parent || to_char(clock_timestamp() AT TIME ZONE 'UTC' + make_interval(days => n.day),
                                           '_YYYYMMDD') AS name) d
     ORDER BY n.day, t.parent`,
    [names.schema],
  )
  const missing = wanted.filter(({ present }) => !present)
  const next = `SELECT ${names.q}.ensure_partitions()`
  if (missing.length === 0) return [ok('delivered and history have those of today and tomorrow')]
  return missing.map(({ name, day }) =>
    (day === 'today' ? failure : warning)(`${name} is missing, the partition of ${day}`, next),
  )
}
