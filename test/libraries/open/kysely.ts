import { CamelCasePlugin, Kysely, PostgresDialect, sql, type Transaction } from 'kysely'
import pg from 'pg'
import { fromKysely } from 'pg-boss'
import type { Transaction as OutboxTransaction } from '../../../src/index.ts'
import type { Library, OpenLibrary } from '../contract/library.ts'

const open = (url: string) =>
  new Kysely<unknown>({
    dialect: new PostgresDialect({ pool: new pg.Pool({ connectionString: url, max: 2 }) }),
  })

const refusal = /got a Kysely .*, use the trx of db\.transaction\(\)\.execute\(async \(trx\) => …\)/

export const kysely: Library = {
  name: 'Kysely 0.29',
  refusal,
  outside: ['the database', 'a connection'],
  knowsItsEnd: true,
  open: async (url) => overKysely(open(url), (trx) => trx),
}

export const kyselyAdapter: Library = {
  name: "pg-boss' fromKysely",
  refusal: /got an adapter .* outside a transaction/,
  outside: ['the database'],
  knowsItsEnd: true,
  async open(url) {
    const db = open(url)
    return {
      ...overKysely(db, (trx) => fromKysely(trx)),
      outside: { 'the database': (check) => check(fromKysely(db)) },
    }
  },
}

function overKysely(
  db: Kysely<unknown>,
  handOver: (trx: Transaction<unknown>) => OutboxTransaction,
): OpenLibrary {
  return {
    transaction: (work) =>
      db
        .transaction()
        .execute((trx) => work({ tx: handOver(trx), run: (statement) => sql.raw(statement).execute(trx) })),
    outside: {
      'the database': (check) => check(db),
      'a connection': (check) => db.connection().execute(check),
    },
    close: () => db.destroy(),
  }
}

export const kyselyControlled: Library = {
  name: 'Kysely 0.29, controlled transaction, with a plugin',
  refusal,
  outside: [],
  knowsItsEnd: true,
  async open(url) {
    const db = open(url).withPlugin(new CamelCasePlugin())
    return {
      async transaction(work) {
        const trx = await db.startTransaction().execute()
        try {
          const result = await work({
            tx: trx,
            run: (statement) => sql.raw(statement).execute(trx),
            async nested(inner) {
              const after = await trx.savepoint('app').execute()
              try {
                await inner(after)
              } catch (error) {
                await after.rollbackToSavepoint('app').execute()
                throw error
              }
            },
          })
          await trx.commit().execute()
          return result
        } catch (error) {
          await trx.rollback().execute()
          throw error
        }
      },
      outside: {},
      close: () => db.destroy(),
    }
  },
}
