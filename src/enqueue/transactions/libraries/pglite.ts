import { isFunction, type Library } from '../executor.ts'
import { NotATransactionError } from '../not-a-transaction-error.ts'
import { overQuery } from './pg.ts'

/** The `tx` of PGlite's own `db.transaction(async (tx) => …)`. */
export interface PgliteTransactionLike {
  query(text: string, values?: unknown[]): Promise<{ rows: unknown[] }>
  rollback(): Promise<void>
  readonly closed: boolean
}

const FINISHED = 'got a PGlite transaction that has ended, use the tx inside db.transaction(async (tx) => …)'

/** PGlite: a Postgres in the process of the app. */
export const pglite: Library = {
  recognises: (handle) => isFunction(handle.query) && isFunction(handle.rollback) && 'closed' in handle,
  executor(handle) {
    if (handle.closed !== false) throw new NotATransactionError(FINISHED)
    return { ...overQuery(handle as unknown as PgliteTransactionLike, FINISHED), proved: true }
  },
}
