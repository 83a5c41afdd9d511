import { select } from '../../../views/queryable.ts'
import type { Check, Installation } from '../../check.ts'
import { failure, type Finding, ok, warning } from '../../finding.ts'

/** The most differences with a line of their own. */
const MOST_NAMED = 10

/** Whether the roles have exactly their rights. Only the owner of the schema may ask. */
export const roles: Check = { name: 'roles', run: checkRoles }

async function checkRoles({ db, names }: Installation): Promise<readonly Finding[]> {
  const [right] = await select<{ may: boolean; owner: string }>(
    db,
    `SELECT coalesce((SELECT bool_or(has_function_privilege(p.oid, 'EXECUTE')) FROM pg_proc p
                      WHERE p.pronamespace = n.oid AND p.proname = 'role_drift'), false)
            AND has_schema_privilege(n.oid, 'USAGE') AS may, n.nspowner::regrole::text AS owner
     FROM pg_namespace n WHERE n.nspname = $1`,
    [names.schema],
  )
  if (!right?.may) {
    return [
      ok(`not checked: only the owner of the schema, ${right?.owner}, may call ${names.schema}.role_drift()`),
    ]
  }
  const drift = await select<{ statement: string }>(db, `SELECT statement FROM ${names.q}.role_drift()`)
  if (drift.length === 0) return [ok('every role has exactly its rights')]
  const more = drift.length - MOST_NAMED
  return [
    ...drift.slice(0, MOST_NAMED).map(({ statement }) => describe(statement)),
    ...(more > 0 ? [warning(`${more} more differences`, 'customerio-outbox migrate')] : []),
  ]
}

/** A missing right breaks a program. An excess right, or a role that only a superuser may create, breaks nothing. */
function describe(statement: string): Finding {
  const next = 'customerio-outbox migrate, as the owner of the schema'
  if (statement.startsWith('GRANT ')) return failure(`a right is missing: ${statement}`, next)
  if (statement.startsWith('CREATE ROLE ')) return warning(`a role is missing: ${statement}`, next)
  return warning(`a role has an excess right: ${statement}`, next)
}
