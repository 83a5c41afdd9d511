import type { Executor, Handle, Library } from './executor.ts'
import { type DrizzleTransactionLike, drizzle } from './libraries/drizzle.ts'
import { type ExecuteSqlLike, executeSql } from './libraries/execute-sql.ts'
import { type PgClientLike, pg } from './libraries/pg.ts'
import { type PgliteTransactionLike, pglite } from './libraries/pglite.ts'
import { NotATransactionError } from './not-a-transaction-error.ts'

/**
 * A transaction that the caller has begun and will commit: the library's own transaction object, a client after BEGIN, or an
 * adapter around one. It is recognised by its methods, not by its class.
 */
export type Transaction = PgClientLike | DrizzleTransactionLike | PgliteTransactionLike | ExecuteSqlLike

/** The first that recognises a handle runs it. `pg` comes last, because many handles have a `query`. */
const LIBRARIES: readonly Library[] = [executeSql, drizzle, pglite, pg]

/**
 * Finds out how to run a statement on `tx`. No statement is run yet.
 *
 * @throws {NotATransactionError} for a pool, a database handle, or a client outside a transaction. An intent that is
 * enqueued there would not roll back with the business write.
 */
export function executorFor(tx: Transaction): Executor {
  if (tx === null || (typeof tx !== 'object' && typeof tx !== 'function')) {
    throw new NotATransactionError(
      `got ${tx === null ? 'null' : typeof tx}, pass the client on which you ran BEGIN`,
    )
  }
  const handle = tx as unknown as Handle
  const library = LIBRARIES.find((one) => one.recognises(handle))
  if (library) return library.executor(handle)
  throw new NotATransactionError(
    'got an object without query, execute or executeSql, pass the client on which you ran BEGIN',
  )
}
