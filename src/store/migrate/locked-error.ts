export interface LockWaiting {
  /**
   * Milliseconds for which each step, such as one migration or the roles, retries for its locks. Minimum: 0.
   *
   * @default 300000
   */
  readonly lockWaitMs?: number | undefined
  /**
   * Called with a sentence when a step is blocked by a lock or has taken 2 s, and then every 10 s until the step ends.
   *
   * @default undefined: nothing is reported
   */
  readonly onWait?: ((message: string) => void) | undefined
}

/**
 * `migrate` could not get a lock within `lockWaitMs`, because of open transactions. The message names them. Migrations that
 * were applied before stay applied. Run `migrate` again after these transactions have ended.
 *
 * @example
 * ```ts
 * import { LockedError, migrate } from 'customerio-outbox/relay'
 *
 * try {
 *   await migrate({ connectionString, lockWaitMs: 60_000 })
 * } catch (error) {
 *   if (error instanceof LockedError) console.error(error.message)
 *   throw error
 * }
 * ```
 */
export class LockedError extends Error {
  override readonly name = 'LockedError'
  readonly code = 'LOCKED'
}
