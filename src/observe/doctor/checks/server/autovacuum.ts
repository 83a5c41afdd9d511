import { select } from '../../../views/queryable.ts'
import type { Check, Installation } from '../../check.ts'
import { failure, type Finding, ok } from '../../finding.ts'

/** Whether autovacuum is on, on the server and for each table. Without it, reads of the queue become slower. */
export const autovacuum: Check = { name: 'autovacuum', run: checkAutovacuum }

async function checkAutovacuum({ db, names }: Installation): Promise<readonly Finding[]> {
  const off = await select<{ name: string }>(
    db,
    `SELECT name FROM pg_settings WHERE name IN ('autovacuum', 'track_counts') AND setting = 'off' ORDER BY name`,
  )
  const tables = await select<{ name: string; option: string }>(
    db,
    `SELECT format('%I.%I', n.nspname, c.relname) AS name, split_part(o.option, '=', 1) AS option
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, unnest(c.reloptions) AS o(option)
     WHERE n.nspname IN ($1, $2) AND c.relkind = 'r' AND o.option ~* '^autovacuum_enabled=(f|of|n|0)'
     ORDER BY 1`,
    [names.schema, names.boss],
  )
  const findings = [
    ...off.map(({ name }) =>
      failure(
        `${name} is off on the server: no table is vacuumed`,
        `ALTER SYSTEM SET ${name} = on; SELECT pg_reload_conf()`,
      ),
    ),
    ...tables.map(({ name, option }) =>
      failure(`autovacuum is off for ${name}`, `ALTER TABLE ${name} RESET (${option})`),
    ),
  ]
  return findings.length > 0 ? findings : [ok('on')]
}
