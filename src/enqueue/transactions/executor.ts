/** Runs statements in the caller's open transaction. Parameters are text, the only type that drivers agree on. */
export interface Executor {
  /** What the caller has passed if no transaction is open, and the right call. Part of the error message. */
  readonly refusal: string
  execute(text: string, values: readonly (string | null)[]): Promise<unknown[]>
  /** Runs `work` under the library's own savepoint. Absent if the library has none: SAVEPOINT is then sent as a statement. */
  nested?<T>(work: (inner: Executor) => Promise<T>): Promise<T>
}

/** An unknown value that `enqueue` was given as the transaction: its members by name. */
export type Handle = Readonly<Record<string, unknown>>

/** A Postgres library whose transactions `enqueue` takes. */
export interface Library {
  /** Whether the handle is one of this library: a transaction, open or finished, or a handle outside any transaction. */
  recognises(handle: Handle): boolean
  /**
   * Finds out how to run a statement on the handle. No statement is run yet.
   *
   * The library's own state serves to refuse a handle early, and with the right call. It proves nothing: it changes when the
   * server has answered COMMIT or ROLLBACK, so a statement that is sent meanwhile would run outside the transaction. The
   * database proves the transaction.
   *
   * @throws {NotATransactionError} if the handle is not an open transaction, as far as the library can tell.
   */
  executor(handle: Handle): Executor
}

export const isFunction = (value: unknown): value is (...args: never[]) => unknown =>
  typeof value === 'function'
