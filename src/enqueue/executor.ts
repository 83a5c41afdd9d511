import { sql } from 'drizzle-orm/sql' // the whole of drizzle-orm takes 1 s more to load
import { fromDrizzle } from 'pg-boss'
import { NotATransactionError } from './errors.ts'

/** Runs one statement on the caller's open transaction. Parameters are text, the only type that drivers agree on. */
export interface Executor {
  execute(text: string, values: readonly (string | null)[]): Promise<unknown[]>
  /** Runs `work` under the driver's own savepoint. Absent if the driver has none: SAVEPOINT is then sent as a statement. */
  nested?<T>(work: (inner: Executor) => Promise<T>): Promise<T>
}

export const FAILED_TRANSACTION = 'got one in which a statement has failed, run ROLLBACK and begin again'

/** A `pg.Client` or `PoolClient` on which BEGIN has been run. */
export interface PgClientLike {
  query(text: string, values: unknown[]): Promise<{ rows: unknown[] }>
  /** `T` if node-postgres has run BEGIN, `E` if a statement has failed since. */
  getTransactionStatus(): 'I' | 'T' | 'E' | null
  /** Absent: only a Pool has it, and a Pool is not a transaction. */
  readonly totalCount?: never
}

/** The `tx` of `db.transaction(async (tx) => …)`, over node-postgres, postgres.js or PGlite. */
export interface DrizzleTransactionLike {
  // biome-ignore lint/suspicious/noExplicitAny: Drizzle's own generics differ from driver to driver
  execute(query: any): PromiseLike<unknown>
  rollback(): never
  // biome-ignore lint/suspicious/noExplicitAny: Drizzle's own generics differ from driver to driver
  transaction?(work: (nested: any) => Promise<any>): Promise<any>
}

/** The `tx` of PGlite's own `db.transaction(async (tx) => …)`. */
export interface PgliteTransactionLike {
  query(text: string, values?: unknown[]): Promise<{ rows: unknown[] }>
  rollback(): Promise<void>
  readonly closed: boolean
}

/**
 * An adapter, such as the result of pg-boss' `fromKysely(trx)`, `fromKnex(trx)` or `fromPrisma(tx)`. It must wrap the
 * transaction: `enqueue` cannot check this, and accepts an adapter around a database handle too.
 */
export interface ExecuteSqlLike {
  executeSql(text: string, values?: unknown[]): Promise<{ rows: unknown[] }>
}

/**
 * A transaction that the caller has begun and will commit: a pg client, a Drizzle transaction, a PGlite transaction, or
 * an adapter around a transaction. It is recognised by its methods, not by its class.
 */
export type Transaction = PgClientLike | DrizzleTransactionLike | PgliteTransactionLike | ExecuteSqlLike

/**
 * Finds out how to run a statement on `tx`. No statement is run yet.
 *
 * @throws {NotATransactionError} for a pool, a database handle, or a client outside a transaction. An intent that is
 * enqueued there would not roll back with the business write. An adapter (`executeSql`) is not checked.
 */
export function executorFor(tx: Transaction): Executor {
  const shape = tx as unknown as Record<string, unknown>
  if (tx === null || (typeof tx !== 'object' && typeof tx !== 'function')) {
    throw new NotATransactionError(
      `got ${tx === null ? 'null' : typeof tx}, pass the client on which you ran BEGIN`,
    )
  }
  if (isFunction(shape.executeSql)) return fromExecuteSql(tx as ExecuteSqlLike)
  if (isFunction(shape.execute)) return fromDrizzleTransaction(tx as DrizzleTransactionLike, shape)
  if (isFunction(shape.query) && 'closed' in shape && isFunction(shape.rollback)) {
    return fromQuery(tx as PgliteTransactionLike)
  }
  if (isFunction(shape.query)) return fromPgClient(tx as PgClientLike, shape)
  throw new NotATransactionError(
    'got an object without query, execute or executeSql, pass the client on which you ran BEGIN',
  )
}

function fromExecuteSql(tx: ExecuteSqlLike): Executor {
  return { execute: async (text, values) => (await tx.executeSql(text, [...values])).rows }
}

function fromDrizzleTransaction(tx: DrizzleTransactionLike, shape: Record<string, unknown>): Executor {
  if (!isFunction(shape.rollback)) {
    throw new NotATransactionError(
      'got a Drizzle database, use the tx of db.transaction(async (tx) => …) instead',
    )
  }
  const db = fromDrizzle(tx as never, sql as never)
  const execute: Executor['execute'] = async (text, values) => (await db.executeSql(text, [...values])).rows
  if (!tx.transaction) return { execute }
  // If a statement fails, postgres.js rolls back the whole transaction, even after SAVEPOINT. Its own savepoints prevent that.
  const transaction = tx.transaction.bind(tx)
  return { execute, nested: (work) => transaction((inner) => work(executorFor(inner))) }
}

function fromPgClient(tx: PgClientLike, shape: Record<string, unknown>): Executor {
  if ('totalCount' in shape && 'idleCount' in shape) {
    throw new NotATransactionError('got a pg Pool, pass the client on which you ran BEGIN instead')
  }
  if (isFunction(shape.transaction)) {
    throw new NotATransactionError('got a database handle, pass the tx of its transaction() instead')
  }
  if (!isFunction(shape.getTransactionStatus)) {
    throw new NotATransactionError(
      'got a client that cannot tell whether BEGIN has been run: update pg, or pass { executeSql } made of your client',
    )
  }
  if (tx.getTransactionStatus() !== 'T') {
    throw new NotATransactionError(
      tx.getTransactionStatus() === 'E'
        ? FAILED_TRANSACTION
        : "got a client outside a transaction, await client.query('BEGIN') first",
    )
  }
  return fromQuery(tx)
}

function fromQuery(tx: Pick<PgClientLike, 'query'>): Executor {
  return { execute: async (text, values) => (await tx.query(text, [...values])).rows }
}

function isFunction(value: unknown): boolean {
  return typeof value === 'function'
}
