import { type Executor, isFunction, type Library } from '../executor.ts'
import { NotATransactionError } from '../not-a-transaction-error.ts'
import { refusalsOf } from '../refusals.ts'

/** The `trx` of Knex' `knex.transaction(async (trx) => …)`, or of Objection's `Model.transaction(async (trx) => …)`. */
export interface KnexTransactionLike {
  raw(sql: never, bindings: never): PromiseLike<unknown>
  isCompleted(): boolean
}

const REFUSALS = refusalsOf('Knex', 'instance', 'the trx of knex.transaction(async (trx) => …)')

/** Knex and Objection. The database and the transaction have the same methods, except for `isCompleted`. */
export const knex: Library = {
  recognises: (handle) => isFunction(handle.raw) && isFunction(handle.transaction),
  executor(handle) {
    if (!isFunction(handle.isCompleted)) throw new NotATransactionError(REFUSALS.outside)
    return overKnex(handle as unknown as KnexTransactionLike, REFUSALS.ended)
  },
}

export function overKnex(trx: KnexTransactionLike, refusal: string): Executor {
  if (trx.isCompleted()) throw new NotATransactionError(refusal)
  return {
    refusal,
    async execute(text, values) {
      const { sql, bindings } = withQuestionMarks(text, values)
      const result = (await trx.raw(sql as never, bindings as never)) as { rows: unknown[] } | unknown[]
      return Array.isArray(result) ? result : result.rows // postProcessResponse may return the rows alone
    },
  }
}

/** Knex writes a placeholder as `?`, and a question mark as `\?`. */
function withQuestionMarks(text: string, values: readonly (string | null)[]) {
  const bindings: (string | null)[] = []
  const sql = text.replaceAll(/\?|\$(\d+)/g, (found, number?: string) => {
    if (number === undefined) return `\\${found}`
    bindings.push(values[Number(number) - 1] ?? null)
    return '?'
  })
  return { sql, bindings }
}
