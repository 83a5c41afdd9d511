/** `tx` is not a transaction that the caller has begun. Nothing was written. */
export class NotATransactionError extends Error {
  override readonly name = 'NotATransactionError'
  readonly code = 'NOT_A_TRANSACTION'

  constructor(found: string, options?: ErrorOptions) {
    super(`outbox.enqueue needs the transaction of your business write: ${found}`, options)
  }
}
