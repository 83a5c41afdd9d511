import { type Handle, isFunction, type Library } from '../executor.ts'
import { NotATransactionError } from '../not-a-transaction-error.ts'
import { refusalsOf } from '../refusals.ts'

/** The `connection` of Slonik's `pool.transaction(async (connection) => …)`. */
export interface SlonikTransactionLike {
  query(statement: never): Promise<{ readonly rows: readonly unknown[] }>
  anyFirst: (...parameters: never[]) => unknown
  readonly transactionId: string
}

const REFUSALS = refusalsOf('Slonik', 'pool or connection', 'the tx of pool.transaction(async (tx) => …)')

/** Slonik. A transaction refuses statements while its connection is not at the depth of this transaction. */
export const slonik: Library = {
  recognises: (handle) => isFunction(handle.query) && isFunction(handle.anyFirst),
  executor(handle) {
    if (typeof handle.transactionId !== 'string') throw new NotATransactionError(REFUSALS.outside)
    if (!isCurrent(handle)) throw new NotATransactionError(REFUSALS.ended)
    const tx = handle as unknown as SlonikTransactionLike
    return {
      proved: true,
      refusal: REFUSALS.ended,
      execute: async (sql, values) => [...(await tx.query({ type: QUERY, sql, values } as never)).rows],
    }
  },
}

/** The connection knows the transaction that it is in. */
function isCurrent({ poolClientState, transactionId, transactionDepth }: Handle): boolean {
  const state = poolClientState as Handle | undefined
  return state?.transactionId === transactionId && state?.transactionDepth === transactionDepth
}

/** The type of a statement that Slonik's `sql` makes. */
const QUERY = Symbol.for('SLONIK_TOKEN_QUERY')
