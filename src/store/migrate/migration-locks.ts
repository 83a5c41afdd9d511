import type pg from 'pg'
import { describeLockHolders } from './lock-holders.ts'
import type { Names } from '../names.ts'

/**
 * A statement that waits for a lock makes everybody wait who comes after it, enqueue first of all. So a migration
 * waits this long at most, lets go of everything, and tries again.
 */
const LOCK_TIMEOUT = '500ms'
/** A migrate that is stopped or cut off in the middle holds its locks no longer than this. */
const STALLED_TIMEOUT = '10s'
/** Between tries, doubled with each: apps are let through. */
const RETRY_MS = { first: 500, max: 5_000 }
/** A step that takes longer than `first` is reported, and again every `next`. */
const REPORT_MS = { first: 2_000, next: 10_000 }

/** For a script: the same for its transaction. */
export const SHORT_LOCKS = `SET LOCAL lock_timeout = '${LOCK_TIMEOUT}'; SET LOCAL idle_in_transaction_session_timeout = '${STALLED_TIMEOUT}';`

export interface LockWaiting {
  /** Milliseconds in all that a lock is tried for. Default: 300,000. */
  readonly lockWaitMs?: number | undefined
  /** Called with a sentence when a step waits for a lock, and every 10 s while a step is not done after 2 s. */
  readonly onWait?: ((message: string) => void) | undefined
}

/** A lock was not to be had: transactions of others are open. What was applied before stays, this step did not. */
export class LockedError extends Error {
  override readonly name = 'LockedError'
  readonly code = 'LOCKED'
}

/**
 * One step in a transaction of its own, in turn with other migrates. Tried again while its locks are taken. The turn
 * is a lock on the table of migrations, which only the owner may take; any user may take an advisory lock.
 */
export async function withMigrationLock<T>(
  client: pg.Client,
  names: Names,
  what: string,
  waiting: LockWaiting,
  work: () => Promise<T>,
): Promise<T> {
  return retryWhileLocked(client, names, what, waiting, () =>
    inTransaction(client, async () => {
      await takeTurn(client, names)
      return work()
    }),
  )
}

/** A transaction whose locks are waited for no longer than an instant. */
export async function inTransaction<T>(client: pg.Client, work: () => Promise<T>): Promise<T> {
  await client.query('BEGIN')
  try {
    await client.query(SHORT_LOCKS)
    const result = await work()
    await client.query('COMMIT')
    return result
  } catch (error) {
    await client.query('ROLLBACK').catch(() => {}) // a lost connection has rolled back already
    throw error
  }
}

/** On an empty database there is no table yet: of two migrates that create it, one fails and tries again. */
async function takeTurn(client: pg.Client, { q }: Names): Promise<void> {
  const { rows } = await client.query('SELECT to_regclass($1) IS NOT NULL AS present', [`${q}.migrations`])
  if (rows[0].present) await client.query(`LOCK TABLE ${q}.migrations IN SHARE ROW EXCLUSIVE MODE`)
}

/** Tries `work` again while it fails for a lock that another session holds, and reports whose it is. */
export async function retryWhileLocked<T>(
  client: pg.Client,
  names: Names,
  what: string,
  { lockWaitMs = 300_000, onWait }: LockWaiting,
  work: () => Promise<T>,
): Promise<T> {
  const began = performance.now()
  const seconds = () => Math.round((performance.now() - began) / 1_000)
  let holders: string | undefined
  const report = () => {
    onWait?.(`${what} is still ${holders ? `waiting for ${holders}` : 'running'} after ${seconds()} s`)
    reports = setTimeout(report, REPORT_MS.next)
  }
  let reports = setTimeout(report, REPORT_MS.first)
  try {
    for (let tries = 1; ; tries++) {
      try {
        return await work()
      } catch (error) {
        if (isMadeMeanwhile(error)) continue
        if (!isLocked(error)) throw error
        const found = await describeLockHolders(client, names)
        const first = holders === undefined
        holders = found === '' ? 'another session' : found
        if (performance.now() - began > lockWaitMs) throw stillLocked(what, lockWaitMs, found, error)
        if (first) {
          onWait?.(`${what} is blocked by ${holders}; retrying for ${Math.round(lockWaitMs / 1_000)} s`)
          clearTimeout(reports)
          reports = setTimeout(report, REPORT_MS.next)
        }
        const pause = Math.min(RETRY_MS.first * 2 ** (tries - 1), RETRY_MS.max)
        await new Promise((resolve) => setTimeout(resolve, pause))
      }
    }
  } finally {
    clearTimeout(reports)
  }
}

function stillLocked(what: string, waitedMs: number, holders: string, cause: unknown): LockedError {
  const seconds = Math.round(waitedMs / 1_000)
  const whose = holders === '' ? 'pg_stat_activity, oldest xact_start first' : `held by ${holders}`
  return new LockedError(
    `${what} could not get its lock within ${seconds} s: end the transactions that are open (${whose}) and run migrate again`,
    { cause },
  )
}

/** A lock that was not to be had in time, or a deadlock that the server broke up. */
function isLocked(error: unknown): boolean {
  const { code } = error as { code?: unknown }
  return code === '55P03' || code === '40P01'
}

/** Another session has created the same object at the same moment: `IF NOT EXISTS` fails in the catalog's own index. */
function isMadeMeanwhile(error: unknown): boolean {
  const { code, schema } = error as { code?: unknown; schema?: unknown }
  return code === '23505' && schema === 'pg_catalog'
}
