import type pg from 'pg'
import type { Names } from '../names.ts'
import type { NotGranted } from './not-granted.ts'

/**
 * Creates the outbox's roles and gives them exactly their rights, as far as the user may. Roles belong to the cluster, so
 * a user who may migrate need not be allowed to create them.
 *
 * @returns the statements that a user with more rights has to run. Usually none.
 */
export async function grantRoles(client: Pick<pg.ClientBase, 'query'>, names: Names): Promise<NotGranted[]> {
  const { rows } = await client.query<NotGranted>(
    `SELECT statement, error FROM ${names.q}.grant_roles() WITH ORDINALITY AS g(statement, error, n) ORDER BY n`,
  )
  return rows
}

/** The call of `grant_roles` for a script. '' if no statement is missing, or if this user may not call `role_drift`. */
export async function grantScript(client: Pick<pg.ClientBase, 'query'>, names: Names): Promise<string> {
  const call = `SELECT * FROM ${names.q}.grant_roles();`
  const { rows } = await client.query<{ may: boolean | null }>(
    `SELECT has_function_privilege(to_regprocedure($1), 'EXECUTE') AS may`,
    [`${names.q}.role_drift()`],
  )
  if (!rows[0]?.may) return ''
  const drift = await client.query(`SELECT FROM ${names.q}.role_drift() LIMIT 1`)
  return drift.rowCount === 0 ? '' : call
}
