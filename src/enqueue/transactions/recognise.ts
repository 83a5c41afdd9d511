import type { Executor, Handle, Library } from './executor.ts'
import { type DrizzleTransactionLike, drizzle } from './libraries/drizzle.ts'
import { type ExecuteSqlLike, executeSql } from './libraries/execute-sql.ts'
import { type KnexTransactionLike, knex } from './libraries/knex.ts'
import { type KyselyTransactionLike, kysely } from './libraries/kysely.ts'
import { type MikroOrmEntityManagerLike, mikroOrm } from './libraries/mikro-orm.ts'
import { neonHttp } from './libraries/neon-http.ts'
import { type PgClientLike, pg } from './libraries/pg.ts'
import { type PgPromiseTransactionLike, pgPromise } from './libraries/pg-promise.ts'
import { type PgliteTransactionLike, pglite } from './libraries/pglite.ts'
import { type PostgresJsTransactionLike, postgresJs } from './libraries/postgres-js.ts'
import { type PrismaTransactionLike, prisma } from './libraries/prisma.ts'
import { type SequelizeTransactionLike, sequelize } from './libraries/sequelize.ts'
import { type SlonikTransactionLike, slonik } from './libraries/slonik.ts'
import { type TypeOrmManagerLike, type TypeOrmQueryRunnerLike, typeorm } from './libraries/typeorm.ts'
import { NotATransactionError } from './not-a-transaction-error.ts'

/**
 * A transaction that the caller has begun and will commit: the library's own transaction object, a client after BEGIN, or an
 * adapter around one. It is recognised by its methods, not by its class.
 */
export type Transaction =
  | PgClientLike
  | DrizzleTransactionLike
  | ExecuteSqlLike
  | KnexTransactionLike
  | KyselyTransactionLike
  | MikroOrmEntityManagerLike
  | PgliteTransactionLike
  | PgPromiseTransactionLike
  | PostgresJsTransactionLike
  | PrismaTransactionLike
  | SequelizeTransactionLike
  | SlonikTransactionLike
  | TypeOrmManagerLike
  | TypeOrmQueryRunnerLike

/**
 * The first that recognises a handle runs it. Many handles have `query` or `execute`. So `pg`, which recognises all that have
 * `query`, comes last, and `drizzle`, which recognises all that have `execute`, before it.
 */
const LIBRARIES: readonly Library[] = [
  executeSql,
  mikroOrm,
  kysely,
  knex,
  prisma,
  typeorm,
  sequelize,
  slonik,
  pgPromise,
  neonHttp,
  postgresJs,
  drizzle,
  pglite,
  pg,
]

/**
 * Finds out how to run a statement on `tx`. No statement is run yet.
 *
 * @throws {NotATransactionError} for a pool, a database handle, or a client outside a transaction. An intent that is
 * enqueued there would not roll back with the business write.
 */
export function executorFor(tx: Transaction): Executor {
  if (tx === null || (typeof tx !== 'object' && typeof tx !== 'function')) {
    throw new NotATransactionError(`got ${tx === null ? 'null' : typeof tx}, ${PASS}`)
  }
  const handle = tx as unknown as Handle
  const library = LIBRARIES.find((one) => one.recognises(handle))
  if (library) return library.executor(handle)
  throw new NotATransactionError(`got an object that runs no statements, ${PASS}`)
}

const PASS = "pass your library's own transaction object, or the client on which you ran BEGIN"
