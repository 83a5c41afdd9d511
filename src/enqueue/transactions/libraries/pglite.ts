import { isFunction, type Library } from '../executor.ts'
import { NotATransactionError } from '../not-a-transaction-error.ts'
import { refusalsOf } from '../refusals.ts'
import { overQuery } from './pg.ts'

/** The `tx` of PGlite's own `db.transaction(async (tx) => …)`. */
export interface PgliteTransactionLike {
  query(text: string, values?: unknown[]): Promise<{ rows: unknown[] }>
  rollback(): Promise<void>
  readonly closed: boolean
}

const REFUSALS = refusalsOf('PGlite', 'database', 'the tx of db.transaction(async (tx) => …)')

/** PGlite: a Postgres in the process of the app. */
export const pglite: Library = {
  recognises: (handle) =>
    isFunction(handle.query) &&
    'closed' in handle &&
    (isFunction(handle.rollback) || isFunction(handle.execProtocol)),
  executor(handle) {
    if (!isFunction(handle.rollback)) throw new NotATransactionError(REFUSALS.outside)
    if (handle.closed !== false) throw new NotATransactionError(REFUSALS.ended)
    return overQuery(handle as unknown as PgliteTransactionLike, REFUSALS.ended)
  },
}
