/** The texts of a `NotATransactionError`: what the caller has passed, and the right call. */
export interface Refusals {
  /** For a handle of the library that never was a transaction. */
  readonly outside: string
  /** For a transaction that was committed or rolled back. */
  readonly ended: string
}

/**
 * @param library As its documentation writes it: `Kysely`.
 * @param handle What a caller passes by mistake: `database`.
 * @param call The right call: `the trx of db.transaction().execute(async (trx) => …)`.
 */
export function refusalsOf(library: string, handle: string, call: string): Refusals {
  return {
    outside: `got a ${library} ${handle} outside a transaction, use ${call}`,
    ended: `got a ${library} transaction that has ended, use ${call}, and await enqueue inside it`,
  }
}
