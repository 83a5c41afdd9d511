import { isFunction, type Library } from '../executor.ts'
import { NotATransactionError } from '../not-a-transaction-error.ts'
import { refusalsOf } from '../refusals.ts'

/** The `t` of pg-promise's `db.tx(async (t) => …)`. */
export interface PgPromiseTransactionLike {
  query(statement: never): Promise<unknown>
  readonly ctx: { readonly inTransaction: boolean }
}

const REFUSALS = refusalsOf('pg-promise', 'database or task', 'the t of db.tx(async (t) => …)')

/** pg-promise. Its database, tasks and transactions have the same methods, and a task knows whether it is in a transaction. */
export const pgPromise: Library = {
  recognises: (handle) => isFunction(handle.oneOrNone) && isFunction(handle.query),
  executor(handle) {
    const ctx = handle.ctx as { inTransaction: boolean; finish?: Date } | undefined
    if (!ctx?.inTransaction) throw new NotATransactionError(REFUSALS.outside)
    if (ctx.finish) throw new NotATransactionError(REFUSALS.ended)
    const tx = handle as unknown as PgPromiseTransactionLike
    return {
      refusal: REFUSALS.ended,
      // An object is sent with its parameters. pg-promise would write the values of a text into the statement.
      execute: async (text, values) => (await tx.query({ text, values: [...values] } as never)) as unknown[],
    }
  },
}
