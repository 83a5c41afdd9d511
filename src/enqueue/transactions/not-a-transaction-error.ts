/**
 * `tx` is not an open transaction of the caller. Nothing was written.
 *
 * The message says which value was passed instead, and what to pass. If a statement of the transaction failed before, only
 * ROLLBACK is left; the error of the database is the `cause` then.
 *
 * @example
 * ```ts
 * import { intents, NotATransactionError } from 'customerio-outbox'
 *
 * try {
 *   await outbox.enqueue(tx, intents.destroy(user.id))
 * } catch (error) {
 *   if (!(error instanceof NotATransactionError)) throw error
 *   await tx.query('BEGIN')
 *   await outbox.enqueue(tx, intents.destroy(user.id))
 * }
 * ```
 */
export class NotATransactionError extends Error {
  override readonly name = 'NotATransactionError'
  readonly code = 'NOT_A_TRANSACTION'

  constructor(found: string, options?: ErrorOptions) {
    super(`outbox.enqueue needs the transaction of your business write: ${found}`, options)
  }
}

export const FAILED_TRANSACTION =
  'got one in which a statement has failed: roll it back (let its callback throw, or run ROLLBACK) and run it again'
