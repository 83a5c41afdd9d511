import { isFunction, type Library } from '../executor.ts'
import { NotATransactionError } from '../not-a-transaction-error.ts'
import { refusalsOf } from '../refusals.ts'

/** The `manager` of TypeORM's `dataSource.transaction(async (manager) => …)`. */
export interface TypeOrmManagerLike {
  query(text: string, values?: unknown[]): Promise<unknown>
  createQueryBuilder: (...parameters: never[]) => unknown
  readonly queryRunner?: { readonly isTransactionActive: boolean } | undefined
  /** Absent: only a DataSource and a QueryRunner have it. */
  readonly manager?: never
}

/** A `QueryRunner` of TypeORM after `startTransaction()`. */
export interface TypeOrmQueryRunnerLike {
  query(text: string, values?: unknown[]): Promise<unknown>
  readonly isTransactionActive: boolean
}

const REFUSALS = refusalsOf(
  'TypeORM',
  'DataSource, EntityManager or QueryRunner',
  'the manager of dataSource.transaction(async (manager) => …)',
)

/** TypeORM: an EntityManager in a transaction, or its QueryRunner. The DataSource and its own manager have no QueryRunner. */
export const typeorm: Library = {
  recognises: (handle) =>
    isFunction(handle.query) && (isFunction(handle.createQueryBuilder) || 'isTransactionActive' in handle),
  executor(handle) {
    const runner =
      'isTransactionActive' in handle ? handle : (handle.queryRunner as typeof handle | undefined)
    if (runner?.isTransactionActive !== true) {
      throw new NotATransactionError(runner?.isReleased ? REFUSALS.ended : REFUSALS.outside)
    }
    const tx = runner as unknown as TypeOrmQueryRunnerLike
    return {
      refusal: REFUSALS.ended,
      execute: async (text, values) => (await tx.query(text, [...values])) as unknown[],
    }
  },
}
