import type { PGlite } from '@electric-sql/pglite'
import { type SQL, sql } from 'drizzle-orm'
import { drizzle as drizzleNodePostgres } from 'drizzle-orm/node-postgres'
import { drizzle as drizzlePglite } from 'drizzle-orm/pglite'
import { drizzle as drizzlePostgresJs } from 'drizzle-orm/postgres-js'
import { fromDrizzle } from 'pg-boss'
import postgres from 'postgres'
import type { DrizzleTransactionLike, Transaction } from '../../../src/index.ts'
import type { Library, OpenLibrary } from '../contract/library.ts'
import { poolOf } from './pg.ts'
import { migratedPglite } from './pglite.ts'

const refusal = /got a Drizzle .*, use the tx of db\.transaction\(async \(tx\) => …\)/

/** What the drivers of Drizzle have in common: their types have no common base without type parameters. */
interface Tx extends DrizzleTransactionLike {
  execute(query: SQL): PromiseLike<unknown>
  transaction<T>(work: (tx: this) => Promise<T>): Promise<T>
}

interface Database<T extends Tx> {
  transaction<R>(work: (tx: T) => Promise<R>): Promise<R>
}

export function overDrizzle<T extends Tx>(
  db: Database<T>,
  handOver: (tx: T) => Transaction = (tx) => tx,
): Pick<OpenLibrary, 'transaction' | 'outside'> {
  return {
    transaction: (work) =>
      db.transaction((tx) =>
        work({
          tx: handOver(tx),
          run: async (statement) => tx.execute(sql.raw(statement)),
          nested: (inner) => tx.transaction((deeper) => inner(handOver(deeper))),
        }),
      ),
    outside: { 'the database': (check) => check(db) },
  }
}

export const drizzlePg: Library = {
  name: 'Drizzle 0.45 over node-postgres',
  refusal,
  outside: ['the database'],
  knowsItsEnd: false,
  async open(url) {
    const pool = poolOf(url)
    return { ...overDrizzle(drizzleNodePostgres(pool)), close: () => pool.end() }
  },
}

export const drizzlePostgres: Library = {
  name: 'Drizzle 0.45 over postgres.js',
  refusal,
  outside: ['the database'],
  knowsItsEnd: false,
  async open(url) {
    const client = postgres(url, { max: 2, onnotice: () => {} })
    return { ...overDrizzle(drizzlePostgresJs(client)), close: () => client.end() }
  },
}

export const drizzleOverPglite: Library = {
  name: 'Drizzle 0.45 over PGlite',
  refusal,
  outside: ['the database'],
  knowsItsEnd: true,
  async open() {
    const client: PGlite = await migratedPglite()
    return {
      ...overDrizzle(drizzlePglite(client)),
      rows: async (statement) => (await client.query<Record<string, unknown>>(statement)).rows,
      close: () => client.close(),
    }
  },
}

export const drizzleAdapter: Library = {
  name: "pg-boss' fromDrizzle",
  refusal: /got an adapter .* outside a transaction/,
  outside: ['the database'],
  knowsItsEnd: false,
  async open(url) {
    const pool = poolOf(url)
    const db = drizzleNodePostgres(pool)
    return {
      ...overDrizzle(db, (tx) => fromDrizzle(tx, sql)),
      outside: { 'the database': (check) => check(fromDrizzle(db, sql)) },
      close: () => pool.end(),
    }
  },
}
