import type pg from 'pg'
import type { Names } from '../names.ts'

/** A statement that the roles still want, and why the user who migrates could not run it. */
export interface NotGranted {
  readonly statement: string
  readonly error: string
}

/**
 * Makes the outbox' roles and gives them exactly their rights, as far as this user may: roles belong to the
 * cluster, and not everyone who may migrate may create them.
 *
 * @returns what somebody else has to run; empty where everything is as it should be.
 */
export async function grantRoles(client: Pick<pg.ClientBase, 'query'>, names: Names): Promise<NotGranted[]> {
  const { rows } = await client.query<NotGranted>(
    `SELECT statement, error FROM ${names.q}.grant_roles() WITH ORDINALITY AS g(statement, error, n) ORDER BY n`,
  )
  return rows
}

/** The same for a script that somebody else runs; '' where nothing is due, or where this user may not know it. */
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
