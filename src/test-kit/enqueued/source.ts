import { isFunction, type Executor, type Handle } from '../../enqueue/transactions/executor.ts'
import { NotATransactionError } from '../../enqueue/transactions/not-a-transaction-error.ts'
import { executorFor, type Transaction } from '../../enqueue/transactions/recognise.ts'
import { isInTransaction } from '../../enqueue/transactions/run-statement.ts'

/** A `pg.Pool`, a `pg.Client` outside a transaction, or a PGlite database. */
export interface QueryHandleLike {
  // biome-ignore lint/suspicious/noExplicitAny: the drivers' own overloads differ
  query(text: string, values?: any): Promise<{ rows: unknown[] }>
}

/** The `db` of Drizzle. */
export interface DrizzleDatabaseLike {
  // biome-ignore lint/suspicious/noExplicitAny: Drizzle's own generics differ from driver to driver
  execute(query: any): PromiseLike<unknown>
  // biome-ignore lint/suspicious/noExplicitAny: Drizzle's own generics differ from driver to driver
  transaction(work: (tx: any) => Promise<any>): Promise<any>
}

/** An open transaction, of which the test sees the intents that it stored, or a handle of the database, which shows the queue. */
export type IntentSource = Transaction | QueryHandleLike | DrizzleDatabaseLike

/** What a source shows: `stored` is what its open transaction stored, `queue` is every committed intent in the queue. */
export type Scope = 'stored' | 'queue'

/**
 * Runs `read` on a source, and tells it what the source shows.
 *
 * @throws TypeError if the source is neither a transaction nor a handle of a database.
 */
export async function onSource<T>(
  source: IntentSource,
  read: (executor: Executor, scope: Scope) => Promise<T>,
): Promise<T> {
  const handle = source as unknown as Handle
  const executor = openTransaction(source)
  if (executor) return read(executor, (await isInTransaction(executor)) ? 'stored' : 'queue')
  // A Drizzle database has a statement's form for each driver, and its transaction has a recognised one.
  if (isFunction(handle.execute)) {
    const db = source as DrizzleDatabaseLike
    return db.transaction((tx) => read(executorFor(tx), 'queue'))
  }
  const { query } = source as QueryHandleLike
  return read(executorFor({ executeSql: (text, values) => query.call(source, text, values) }), 'queue')
}

/** @returns undefined if the source is a handle outside a transaction. */
function openTransaction(source: IntentSource): Executor | undefined {
  try {
    return executorFor(source as Transaction)
  } catch (error) {
    if (error instanceof NotATransactionError && isHandle(source)) return undefined
    if (!(error instanceof NotATransactionError)) throw error
    throw new TypeError(
      `Expected an open transaction, a pg Pool or Client, a PGlite or a Drizzle database: ${error.message}`,
      { cause: error },
    )
  }
}

function isHandle(source: unknown): source is Handle {
  if (typeof source !== 'object' || source === null) return false
  const { execute, transaction, query, rollback } = source as Handle
  if (isFunction(rollback)) return false // a transaction that has ended
  return isFunction(query) || (isFunction(execute) && isFunction(transaction))
}
