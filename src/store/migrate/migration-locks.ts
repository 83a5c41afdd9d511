import type pg from 'pg'
import { describeLockHolders } from './lock-holders.ts'
import { LockedError, type LockWaiting } from './locked-error.ts'
import type { Names } from '../names.ts'

/**
 * A statement that waits for a lock blocks every later statement on the table, such as an enqueue. So a migration waits
 * this long at most, releases its locks, and retries.
 */
const LOCK_TIMEOUT = '500ms'
/** How long a migrate that stalls or loses its connection keeps its locks. */
const STALLED_TIMEOUT = '10s'
/** The backoff between two tries, doubled with each try. Meanwhile apps can use the tables. */
const RETRY_MS = { first: 500, max: 5_000 }
/** Tries of one step after which an object of another session is an error. One or two are enough. */
const MOST_TRIES = 100
/** Reports of a long step: after `first`, and then every `next`. */
const REPORT_MS = { first: 2_000, next: 10_000 }

/** The settings of a migration's transaction. */
export const SHORT_LOCKS = `SET LOCAL lock_timeout = '${LOCK_TIMEOUT}'; SET LOCAL idle_in_transaction_session_timeout = '${STALLED_TIMEOUT}';`

/**
 * Runs a step in its own transaction, one migrate at a time, and retries while its locks are taken. The mutual exclusion
 * is a lock on the table of migrations, because only the owner may take it. Any user may take an advisory lock.
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
      await lockMigrations(client, names)
      return work()
    }),
  )
}

/** Runs `work` in a transaction with `SHORT_LOCKS`. */
export async function inTransaction<T>(client: pg.Client, work: () => Promise<T>): Promise<T> {
  await client.query('BEGIN')
  try {
    await client.query(SHORT_LOCKS)
    const result = await work()
    await client.query('COMMIT')
    return result
  } catch (error) {
    await client.query('ROLLBACK').catch(() => {}) // a lost connection has already rolled back
    throw error
  }
}

/**
 * Locks the table of migrations, if it exists. Of two migrates that create the table at once in an empty database, one fails
 * and retries.
 */
async function lockMigrations(client: pg.Client, { q }: Names): Promise<void> {
  const { rows } = await client.query('SELECT to_regclass($1) IS NOT NULL AS present', [`${q}.migrations`])
  if (rows[0].present) await client.query(`LOCK TABLE ${q}.migrations IN SHARE ROW EXCLUSIVE MODE`)
}

/** Retries `work` while another session holds its lock, and reports that session. */
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
        // The next try finds the other session's object. The bound is for an error that stays.
        if (isCreatedConcurrently(error) && tries < MOST_TRIES) continue
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

/** A lock timeout, or a deadlock that the server resolved. */
function isLocked(error: unknown): boolean {
  const { code } = error as { code?: unknown }
  return code === '55P03' || code === '40P01'
}

/** Another session created the same object at the same moment: `IF NOT EXISTS` fails in the catalog's index. */
function isCreatedConcurrently(error: unknown): boolean {
  const { code, schema } = error as { code?: unknown; schema?: unknown }
  return code === '23505' && schema === 'pg_catalog'
}
