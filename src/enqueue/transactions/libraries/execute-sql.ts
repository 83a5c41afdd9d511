import { isFunction, type Library } from '../executor.ts'

/**
 * An adapter around a transaction, such as the result of pg-boss' `fromKysely(trx)`, or one made by hand. `enqueue` does not
 * see what it wraps, so the database proves that a transaction is open.
 */
export interface ExecuteSqlLike {
  executeSql(text: string, values?: unknown[]): Promise<{ rows: unknown[] }>
}

/** Adapters: every object with `executeSql`. */
export const executeSql: Library = {
  recognises: (handle) => isFunction(handle.executeSql),
  executor(handle) {
    const adapter = handle as unknown as ExecuteSqlLike
    return {
      refusal: 'got an adapter around a handle outside a transaction, wrap the transaction instead',
      execute: async (text, values) => (await adapter.executeSql(text, [...values])).rows,
    }
  },
}
