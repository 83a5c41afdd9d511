import type { ClientBase } from 'pg'
import { failOption, shownOption } from '../../intent/option-checks.ts'
import type { Names } from '../names.ts'

/** Stands for every workspace. */
const ALL = '*'
const WORKSPACE = /^[a-z0-9][a-z0-9_-]{0,62}$/i

/**
 * Checks the option `requireEncryption`.
 *
 * @returns the workspaces that take encrypted payloads only, in order. Undefined if the setting in the database stays.
 * @throws {InvalidOptionError} if it is no list of workspaces.
 */
export function wantedEncryption(given: unknown): readonly string[] | undefined {
  if (given === undefined) return undefined
  if (typeof given === 'boolean') return given ? [ALL] : []
  const fail = (got: string) =>
    failOption('requireEncryption', 'to be true, false or a list of workspaces', got, 'requireEncryption')
  if (!Array.isArray(given)) return fail(shownOption(given))
  const wrong = given.find((name) => typeof name !== 'string' || !WORKSPACE.test(name))
  return wrong === undefined ? [...new Set<string>(given)].sort() : fail(`${shownOption(wrong)} in it`)
}

/** Installs the requirement in the caller's transaction. @returns whether it changed anything. */
export async function installEncryption(
  client: Pick<ClientBase, 'query'>,
  names: Names,
  wanted: readonly string[],
): Promise<boolean> {
  if (await isInstalled(client, names, wanted)) return false
  await client.query(`SELECT ${names.q}.require_encryption($1::text[])`, [wanted])
  return true
}

/** The installation as a script. '' if it changes nothing. */
export async function encryptionScript(
  client: Pick<ClientBase, 'query'>,
  names: Names,
  wanted: readonly string[],
): Promise<string> {
  const { rows } = await client.query('SELECT to_regprocedure($1) IS NOT NULL AS present', [
    `${names.q}.encrypted_workspaces()`,
  ])
  const isThere = rows[0].present ? await isInstalled(client, names, wanted) : wanted.length === 0
  return isThere ? '' : `SELECT ${names.q}.require_encryption('{${wanted.join(',')}}');`
}

async function isInstalled(
  client: Pick<ClientBase, 'query'>,
  { q }: Names,
  wanted: readonly string[],
): Promise<boolean> {
  const { rows } = await client.query<{ found: string[] }>(`SELECT ${q}.encrypted_workspaces() AS found`)
  return rows[0]?.found.join() === wanted.join()
}
