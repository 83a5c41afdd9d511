import { isFunction, type Library } from '../executor.ts'
import { NotATransactionError } from '../not-a-transaction-error.ts'
import { refusalsOf } from '../refusals.ts'
import { type KnexTransactionLike, overKnex } from './knex.ts'
import { type KyselyTransactionLike, overKysely } from './kysely.ts'

/** The `em` of MikroORM's `em.transactional(async (em) => …)`, or an EntityManager after `begin()`. */
export interface MikroOrmEntityManagerLike {
  isInTransaction(): boolean
  getTransactionContext(): unknown
}

const REFUSALS = refusalsOf('MikroORM', 'EntityManager', 'the em of orm.em.transactional(async (em) => …)')

/** MikroORM. The transaction of an EntityManager is one of Kysely, and before version 7 one of Knex. */
export const mikroOrm: Library = {
  recognises: (handle) => isFunction(handle.getTransactionContext) && isFunction(handle.isInTransaction),
  executor(handle) {
    const context = (handle as unknown as MikroOrmEntityManagerLike).getTransactionContext()
    if (!context) throw new NotATransactionError(REFUSALS.outside)
    return 'executeQuery' in (context as object)
      ? overKysely(context as KyselyTransactionLike, REFUSALS.ended)
      : overKnex(context as KnexTransactionLike, REFUSALS.ended)
  },
}
