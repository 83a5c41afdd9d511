import createKnex, { type Knex } from 'knex'
import { knexSnakeCaseMappers, Model } from 'objection'
import { fromKnex } from 'pg-boss'
import type { Transaction } from '../../../src/index.ts'
import type { Library, OpenLibrary } from '../contract/library.ts'

const open = (url: string, mappers: Knex.Config = {}) =>
  createKnex({ client: 'pg', connection: url, pool: { min: 0, max: 2 }, asyncStackTraces: true, ...mappers })

const refusal = /got a Knex .*, use the trx of knex\.transaction\(async \(trx\) => …\)/

export const knex: Library = {
  name: 'Knex 3',
  refusal,
  outside: ['the instance'],
  knowsItsEnd: true,
  open: async (url) => overKnex(open(url), (trx) => trx),
}

export const knexAdapter: Library = {
  name: "pg-boss' fromKnex",
  refusal: /got an adapter .* outside a transaction/,
  outside: ['the instance'],
  knowsItsEnd: true,
  async open(url) {
    const db = open(url)
    return {
      ...overKnex(db, (trx) => fromKnex(trx)),
      outside: { 'the instance': (check) => check(fromKnex(db)) },
    }
  },
}

function overKnex(db: Knex, handOver: (trx: Knex.Transaction) => Transaction): OpenLibrary {
  return {
    transaction: (work) =>
      db.transaction((trx) =>
        work({
          tx: handOver(trx),
          run: async (statement) => trx.raw(statement),
          nested: (inner) => trx.transaction((deeper) => inner(handOver(deeper))),
        }),
      ),
    outside: { 'the instance': (check) => check(db) },
    close: () => db.destroy(),
  }
}

export const objection: Library = {
  name: 'Objection 3',
  refusal,
  outside: ['the instance'],
  knowsItsEnd: true,
  async open(url) {
    const db = open(url, knexSnakeCaseMappers())
    class Order extends Model {
      static override tableName = 'orders'
    }
    Order.knex(db)
    return {
      transaction: (work) =>
        Order.transaction((trx) =>
          work({
            tx: trx,
            run: async (statement) => trx.raw(statement),
            nested: (inner) => trx.transaction((deeper) => inner(deeper)),
          }),
        ),
      outside: { 'the instance': (check) => check(Order.knex()) },
      close: () => db.destroy(),
    }
  },
}
