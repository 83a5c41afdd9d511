import type { Names } from '../names.ts'

/** Replaces pg-boss' lock timeout of 30 s, because the relay waits less than that for an answer. */
const LOCK_TIMEOUT = "SET LOCAL lock_timeout = '3s';"

/**
 * Replaces the advisory locks in a statement of pg-boss by a row of `outbox.locks`. Any database user can take an
 * advisory lock, and can compute pg-boss' keys from the schema's name. Only relays and the owner can lock the row.
 *
 * @param setTimeouts Statements that replace pg-boss' own lock timeout in its transaction. Default: a lock timeout of 3 s.
 * @throws Error for an advisory lock in an unknown form. The installed pg-boss is then not the one in package.json.
 */
export function withRowLocks(text: string, { q }: Names, setTimeouts = LOCK_TIMEOUT): string {
  const limited = text.replace('SET LOCAL lock_timeout = 30000;', setTimeouts)
  if (!limited.includes('advisory')) return limited
  const locked = limited.replaceAll(
    /SELECT pg_advisory_xact_lock\([^;]*\)/g,
    // pg-boss recognises the row of the lock by the column's name.
    `SELECT name AS pg_advisory_xact_lock FROM ${q}.locks WHERE name = 'jobs' FOR UPDATE`,
  )
  if (/pg_\w*advisory\w*\(/.test(locked)) {
    throw new Error(
      'Expected an advisory lock of pg-boss in a known form, got another form: install the pg-boss of package.json',
    )
  }
  return locked
}
