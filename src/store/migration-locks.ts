import type pg from 'pg'
import type { Names } from './names.ts'

/**
 * A statement that waits for a lock makes everybody wait who comes after it, enqueue first of all. So a migration
 * waits this long at most, lets go of everything, and tries again.
 */
const LOCK_TIMEOUT = '500ms'
/** A migrate that is stopped or cut off in the middle holds its locks no longer than this. */
const STALLED_TIMEOUT = '10s'
/** Between tries, doubled with each: apps are let through. */
const RETRY_MS = { first: 500, max: 5_000 }

/** For a script: the same for its transaction. */
export const SHORT_LOCKS = `SET LOCAL lock_timeout = '${LOCK_TIMEOUT}'; SET LOCAL idle_in_transaction_session_timeout = '${STALLED_TIMEOUT}';`

export interface LockWaiting {
  /** Milliseconds in all that a lock is tried for. Default: 300,000. */
  readonly lockWaitMs?: number | undefined
  /** Told once when a step has to wait, in words. */
  readonly onWait?: ((message: string) => void) | undefined
}

/** A lock was not to be had: transactions of others are open. What was applied before stays, this step did not. */
export class LockedError extends Error {
  override readonly name = 'LockedError'
  readonly code = 'LOCKED'
}

/**
 * One `migrate` at a time: whoever comes second waits, and finds nothing to do. Not through a pooler, which might
 * keep the lock in a connection of others for ever; there `inTurn` alone keeps each migration from running twice.
 */
export async function waitForOtherMigrate(client: pg.Client, names: Names): Promise<void> {
  const { rows } = await client.query('SELECT pg_backend_pid() AS pid')
  // What the peer said when it let us in: a pooler makes up a number of its own.
  const { processID } = client as unknown as { processID: number | null }
  if (rows[0].pid === processID)
    await client.query('SELECT pg_advisory_lock(hashtextextended($1, 0))', [key(names)])
}

/** One step in a transaction of its own, in turn with other migrates. Tried again while its locks are taken. */
export async function inTurn<T>(
  client: pg.Client,
  names: Names,
  what: string,
  waiting: LockWaiting,
  work: () => Promise<T>,
): Promise<T> {
  return whileLocked(what, waiting, async () => {
    await client.query('BEGIN')
    try {
      await client.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [key(names)])
      await client.query(SHORT_LOCKS)
      const result = await work()
      await client.query('COMMIT')
      return result
    } catch (error) {
      await client.query('ROLLBACK').catch(() => {}) // a lost connection has rolled back already
      throw error
    }
  })
}

/** Tries `work` again while it fails for a lock that somebody holds. */
export async function whileLocked<T>(
  what: string,
  { lockWaitMs = 300_000, onWait }: LockWaiting,
  work: () => Promise<T>,
): Promise<T> {
  const giveUpAt = performance.now() + lockWaitMs
  for (let tries = 1; ; tries++) {
    try {
      return await work()
    } catch (error) {
      if (!isLocked(error)) throw error
      if (performance.now() > giveUpAt) throw stillLocked(what, lockWaitMs, error)
      if (tries === 1)
        onWait?.(`${what} waits for a transaction that is open to end; it is tried again meanwhile`)
      const pause = Math.min(RETRY_MS.first * 2 ** (tries - 1), RETRY_MS.max)
      await new Promise((resolve) => setTimeout(resolve, pause))
    }
  }
}

function stillLocked(what: string, waitedMs: number, cause: unknown): LockedError {
  const seconds = Math.round(waitedMs / 1_000)
  return new LockedError(
    `${what} could not get its lock within ${seconds} s: end the transactions that are open (pg_stat_activity, oldest xact_start first) and run migrate again`,
    { cause },
  )
}

/** A lock that was not to be had in time, or a deadlock that the server broke up. */
function isLocked(error: unknown): boolean {
  const { code } = error as { code?: unknown }
  return code === '55P03' || code === '40P01'
}

function key(names: Names): string {
  return `migrate ${names.schema}`
}
