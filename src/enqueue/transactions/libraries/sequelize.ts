import { type Handle, isFunction, type Library } from '../executor.ts'
import { NotATransactionError } from '../not-a-transaction-error.ts'
import { refusalsOf } from '../refusals.ts'

/** The `transaction` of Sequelize's `sequelize.transaction(async (transaction) => …)`. */
export interface SequelizeTransactionLike {
  commit(): Promise<void>
  rollback(): Promise<void>
  afterCommit(hook: never): void
}

interface Instance {
  query(text: string, options: object): Promise<[rows: unknown[], metadata: unknown]>
}

const REFUSALS = refusalsOf(
  'Sequelize',
  'instance',
  'the transaction of sequelize.transaction(async (transaction) => …)',
)

/** Sequelize. Its transaction has no method that runs a statement, but it knows its Sequelize instance. */
export const sequelize: Library = {
  recognises: (handle) => isTransaction(handle) || isInstance(handle),
  executor(handle) {
    if (!isTransaction(handle)) throw new NotATransactionError(REFUSALS.outside)
    if (handle.finished || !handle.connection) throw new NotATransactionError(REFUSALS.ended)
    const instance = handle.sequelize as Instance
    return {
      refusal: REFUSALS.ended,
      async execute(text, values) {
        // The instance may have other defaults for a query.
        const options = { type: 'RAW', raw: true, plain: false, nest: false }
        const [rows] = await instance.query(text, { ...options, bind: [...values], transaction: handle })
        return rows
      },
    }
  },
}

const isTransaction = (handle: Handle) =>
  isFunction(handle.afterCommit) && isInstance(handle.sequelize as Handle)
const isInstance = (handle: Handle | undefined) =>
  isFunction(handle?.query) && isFunction(handle.getQueryInterface)
