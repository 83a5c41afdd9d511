import { type Executor, type Handle, isFunction, type Library } from '../executor.ts'
import { FAILED_TRANSACTION, NotATransactionError } from '../not-a-transaction-error.ts'

/** A `pg.Client` or `PoolClient` on which BEGIN has been run, or a client with the same methods. */
export interface PgClientLike {
  query(text: string, values: unknown[]): Promise<{ rows: unknown[] }>
  /**
   * `T` if node-postgres has run BEGIN, `E` if a statement has failed since. pg has this method since version 8.21. With
   * it, `enqueue` refuses a client outside a transaction before it sends a statement.
   */
  getTransactionStatus?(): 'I' | 'T' | 'E' | null
  /** Absent: only a Pool has it, and a Pool is not a transaction. */
  readonly totalCount?: never
  /** Absent: only a database handle has it. */
  readonly transaction?: never
  /** Absent: only pg-promise's database has it. */
  readonly task?: never
}

const OUTSIDE = "got a client outside a transaction, await client.query('BEGIN') first"

/** node-postgres, and every client with its methods. */
export const pg: Library = {
  recognises: ({ query }) => isFunction(query),
  executor(handle) {
    if ('totalCount' in handle && 'idleCount' in handle) {
      throw new NotATransactionError('got a pg Pool, pass the client on which you ran BEGIN instead')
    }
    if (isFunction(handle.transaction)) {
      throw new NotATransactionError('got a database handle, pass the tx of its transaction() instead')
    }
    refuseByStatus(handle)
    return overQuery(handle as unknown as PgClientLike, OUTSIDE)
  },
}

function refuseByStatus(handle: Handle): void {
  if (!isFunction(handle.getTransactionStatus)) return
  const status = (handle as unknown as Required<PgClientLike>).getTransactionStatus()
  if (status !== 'T') throw new NotATransactionError(status === 'E' ? FAILED_TRANSACTION : OUTSIDE)
}

/** For a handle whose `query(text, values)` resolves to `{ rows }`. */
export function overQuery(tx: Pick<PgClientLike, 'query'>, refusal: string): Executor {
  return {
    refusal,
    execute: async (text, values) => (await tx.query(text, [...values])).rows,
  }
}
