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

/** Slonik. Its pool, connections and transactions have the same methods. */
export const slonik: Library = {
  recognises: (handle) => isFunction(handle.query) && isFunction(handle.anyFirst),
  executor(handle) {
    if (typeof handle.transactionId !== 'string') throw new NotATransactionError(REFUSALS.outside)
    const state = handle.poolClientState as Handle | undefined
    if (state && !isCurrent(handle, state)) throw new NotATransactionError(REFUSALS.ended)
    const tx = handle as unknown as SlonikTransactionLike
    return {
      refusal: REFUSALS.ended,
      execute: async (sql, values) => [...(await tx.query({ type: QUERY, sql, values } as never)).rows],
    }
  },
}

/** The connection knows the transaction that it is in, and how many savepoints deep. */
const isCurrent = (tx: Handle, connection: Handle) =>
  connection.transactionId === tx.transactionId && connection.transactionDepth === tx.transactionDepth

/** The type of a statement that Slonik's `sql` makes. */
const QUERY = Symbol.for('SLONIK_TOKEN_QUERY')
