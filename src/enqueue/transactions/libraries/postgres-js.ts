import { type Executor, isFunction, type Library } from '../executor.ts'
import { NotATransactionError } from '../not-a-transaction-error.ts'
import { refusalsOf } from '../refusals.ts'

/** The `sql` of `sql.begin(async (sql) => …)`, of postgres.js or Bun. */
export interface PostgresJsTransactionLike {
  // biome-ignore lint/suspicious/noExplicitAny: postgres.js and Bun have types of their own for parameters
  unsafe(text: string, values?: any[]): PromiseLike<unknown[]>
  savepoint: (...parameters: never[]) => unknown
}

const REFUSALS = refusalsOf('postgres.js or Bun', 'sql', 'the sql of sql.begin(async (sql) => …)')

/** postgres.js and Bun's SQL. Only the `sql` of a transaction has `savepoint`. */
export const postgresJs: Library = {
  recognises: (handle) => isFunction(handle.unsafe) && !isFunction(handle.query),
  executor(handle) {
    if (!isFunction(handle.savepoint)) throw new NotATransactionError(REFUSALS.outside)
    return executorOf(handle as unknown as PostgresJsTransactionLike)
  },
}

function executorOf(sql: PostgresJsTransactionLike): Executor {
  return {
    refusal: REFUSALS.ended,
    execute: async (text, values) => [...(await sql.unsafe(text, [...values]))],
    // If a statement fails, postgres.js rolls back the whole transaction, even after SAVEPOINT. Its own savepoints prevent that.
    async nested(work) {
      const inSavepoint = (inner: PostgresJsTransactionLike) => work(executorOf(inner))
      return (await sql.savepoint(inSavepoint as never)) as Awaited<ReturnType<typeof work>>
    },
  }
}
