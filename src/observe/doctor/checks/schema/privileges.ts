import { select } from '../../../views/queryable.ts'
import type { Check, Installation } from '../../check.ts'
import { type Finding, ok, warning } from '../../finding.ts'

/** What the connected user may do. */
export const privileges: Check = { name: 'privileges', run: checkPrivileges }

/** One right of each role that the other roles lack. */
interface Rights {
  readonly own: boolean
  readonly enqueue: boolean | null
  readonly relay: boolean | null
  readonly view: boolean | null
  readonly operate: boolean | null
}

async function checkPrivileges({ db, names, user }: Installation): Promise<readonly Finding[]> {
  const [row] = await select<Rights>(
    db,
    `SELECT pg_has_role(current_user, n.nspowner, 'USAGE') AS own, u.usage AND f.enqueue AS enqueue,
            u.usage AND t.relay AS relay, u.usage AND t.view AS view, u.usage AND f.operate AS operate
     FROM pg_namespace n,
       LATERAL (SELECT has_schema_privilege(n.oid, 'USAGE') AS usage) u,
       LATERAL (SELECT bool_or(p.proname = 'enqueue' AND has_function_privilege(p.oid, 'EXECUTE')) AS enqueue,
                       bool_or(p.proname = 'pause' AND has_function_privilege(p.oid, 'EXECUTE')) AS operate
                FROM pg_proc p WHERE p.pronamespace = n.oid) f,
       LATERAL (SELECT bool_or(c.relname = 'intents' AND has_table_privilege(c.oid, 'DELETE')) AS relay,
                       bool_or(c.relname = 'health' AND has_table_privilege(c.oid, 'SELECT')) AS view
                FROM pg_class c WHERE c.relnamespace = n.oid) t
     WHERE n.nspname = $1`,
    [names.schema],
  )
  const may = [
    ['own the schema (migrate)', row?.own],
    ['enqueue', row?.enqueue],
    ['relay', row?.relay],
    ['view', row?.view],
    ['operate (pause, resume)', row?.operate],
  ] as const
  const granted = may.filter(([, has]) => has).map(([what]) => what)
  if (granted.length > 0) return [ok(`${user} may ${granted.join(', ')}`)]
  return [
    warning(
      `${user} has no right in schema "${names.schema}"`,
      `GRANT ${names.schema}_viewer TO ${user}; for the others see docs/operations.md#roles`,
    ),
  ]
}
