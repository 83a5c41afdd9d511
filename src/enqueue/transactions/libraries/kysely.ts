import { type Executor, isFunction, type Library } from '../executor.ts'
import { NotATransactionError } from '../not-a-transaction-error.ts'
import { refusalsOf } from '../refusals.ts'

/** The `trx` of Kysely's `db.transaction().execute(async (trx) => …)`, or of `db.startTransaction().execute()`. */
export interface KyselyTransactionLike {
  readonly isTransaction: true
  executeQuery(query: never): Promise<{ rows: unknown[] }>
}

const REFUSALS = refusalsOf('Kysely', 'database', 'the trx of db.transaction().execute(async (trx) => …)')

/** Kysely. Its database and its transaction have the same methods. */
export const kysely: Library = {
  recognises: (handle) => isFunction(handle.executeQuery) && 'isTransaction' in handle,
  executor(handle) {
    if (handle.isTransaction !== true) throw new NotATransactionError(REFUSALS.outside)
    return overKysely(handle as unknown as KyselyTransactionLike, REFUSALS.ended)
  },
}

export function overKysely(trx: KyselyTransactionLike, refusal: string): Executor {
  return {
    refusal,
    execute: async (text, values) => (await trx.executeQuery(compiled(text, values) as never)).rows,
  }
}

/** As Kysely's `CompiledQuery.raw` makes it. */
function compiled(sql: string, values: readonly (string | null)[]): object {
  return {
    sql,
    parameters: [...values],
    query: { kind: 'RawNode', sqlFragments: [sql], parameters: [] },
    queryId: { queryId: 'customerio-outbox' },
  }
}
