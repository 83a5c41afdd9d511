import type { Names } from '../names.ts'

/** pg-boss sets 30 s for a lock, which is longer than the relay waits for an answer. */
const LOCK_TIMEOUT = "SET LOCAL lock_timeout = '3s';"

/**
 * A statement of pg-boss with its advisory locks replaced by a row of `outbox.locks`. Any database user can take an
 * advisory lock, and the keys of pg-boss can be computed from the schema's name; the row can be locked by relays and
 * the owner alone.
 *
 * @param setTimeouts Statements that replace pg-boss' own limit for waiting, for a transaction.
 * @throws Error for an advisory lock of a form that is not known: a version of pg-boss that this one was not made for.
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
      'Expected an advisory lock of pg-boss in a known form, got another: use the pg-boss of package.json',
    )
  }
  return locked
}
