import { type Executor, isFunction, type Library } from '../executor.ts'
import { NotATransactionError } from '../not-a-transaction-error.ts'
import { refusalsOf } from '../refusals.ts'

/** The `tx` of `db.transaction(async (tx) => …)`, over node-postgres, postgres.js, PGlite and other drivers. */
export interface DrizzleTransactionLike {
  // biome-ignore lint/suspicious/noExplicitAny: Drizzle's own generics differ from driver to driver
  execute(query: any): PromiseLike<unknown>
  rollback(): never
  // biome-ignore lint/suspicious/noExplicitAny: Drizzle's own generics differ from driver to driver
  transaction?(work: (nested: any) => Promise<any>): Promise<any>
}

const REFUSALS = refusalsOf('Drizzle', 'database', 'the tx of db.transaction(async (tx) => …)')

/** Drizzle. Its database and its transaction have the same methods, except for `rollback`. */
export const drizzle: Library = {
  recognises: ({ execute }) => isFunction(execute),
  executor(handle) {
    if (!isFunction(handle.rollback)) throw new NotATransactionError(REFUSALS.outside)
    return executorOf(handle as unknown as DrizzleTransactionLike)
  },
}

function executorOf(tx: DrizzleTransactionLike): Executor {
  const executor: Executor = {
    refusal: REFUSALS.ended,
    execute: async (text, values) => rowsOf(await tx.execute(statement(text, values))),
  }
  if (!tx.transaction) return executor
  // If a statement fails, postgres.js rolls back the whole transaction, even after SAVEPOINT. Its own savepoints prevent that.
  const transaction = tx.transaction.bind(tx)
  return { ...executor, nested: (work) => transaction((inner) => work(executorOf(inner))) }
}

/** A statement as Drizzle's `sql` makes it: `execute` calls `getSQL()`, and its dialect calls `toQuery()`. */
function statement(text: string, values: readonly (string | null)[]): object {
  const query = { sql: text, params: [...values] }
  const wrapper = { getSQL: () => wrapper, toQuery: () => query }
  return wrapper
}

/** postgres.js returns an array of rows; the other drivers return an object that has them. */
function rowsOf(result: unknown): unknown[] {
  return Array.isArray(result) ? result : (result as { rows: unknown[] }).rows
}
