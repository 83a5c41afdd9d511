import { PGlite } from '@electric-sql/pglite'
import { sql } from 'drizzle-orm'
import { drizzle as drizzleNodePostgres } from 'drizzle-orm/node-postgres'
import { drizzle as drizzlePglite } from 'drizzle-orm/pglite'
import { drizzle as drizzlePostgresJs } from 'drizzle-orm/postgres-js'
import pg from 'pg'
import { fromDrizzle } from 'pg-boss'
import postgres from 'postgres'
import type { Transaction } from '../../src/index.ts'
import { readMigrations } from '../../src/store/migrate/migrations.ts'
import { namesOf } from '../../src/store/names.ts'

/** A transaction of an app: the object that it passes to `enqueue`, and its own statements. */
export interface AppTransaction {
  readonly tx: Transaction
  run(statement: string): Promise<void>
  /** Runs `work` under a savepoint. If `work` throws `TakeBack`, it is rolled back and the transaction continues. */
  nested(work: (tx: Transaction) => Promise<void>): Promise<void>
}

/** A driver or query builder that an app uses for Postgres. */
export interface Driver {
  /** Commits the transaction of `work`, or rolls it back if `work` throws. */
  transaction<T>(work: (app: AppTransaction) => Promise<T>): Promise<T>
  rows(statement: string): Promise<Record<string, unknown>[]>
  close(): Promise<void>
}

export type OpenDriver = (url: string) => Promise<Driver>

export const DRIVERS: readonly (readonly [name: string, open: OpenDriver])[] = [
  ['a pg client after BEGIN', openPg],
  ['a Drizzle transaction over node-postgres', openDrizzleNodePostgres],
  ['a Drizzle transaction over postgres.js', openDrizzlePostgresJs],
  ['a Drizzle transaction over PGlite', openDrizzlePglite],
  ["PGlite's own transaction", openPglite],
  ["pg-boss' adapter of a Drizzle transaction", openBossAdapter],
  ['a hand-made object with executeSql', openExecuteSql],
]

type DrizzleTx = {
  execute(query: ReturnType<typeof sql.raw>): PromiseLike<unknown>
  rollback(): never
  transaction<T>(work: (tx: DrizzleTx) => Promise<T>): Promise<T>
}
type DrizzleDb = { transaction<T>(work: (tx: DrizzleTx) => Promise<T>): Promise<T> }

async function openPg(url: string): Promise<Driver> {
  return overPg(url, (client) => client)
}

async function openExecuteSql(url: string): Promise<Driver> {
  return overPg(url, (client) => ({ executeSql: (text, values) => client.query(text, values) }))
}

function overPg(url: string, handOver: (client: pg.PoolClient) => Transaction): Driver {
  const pool = poolOf(url)
  return {
    async transaction(work) {
      const client = await pool.connect()
      const run = async (statement: string) => void (await client.query(statement))
      try {
        await client.query('BEGIN')
        const result = await work({ tx: handOver(client), run, nested: savepoint(run, handOver(client)) })
        await client.query('COMMIT')
        return result
      } catch (error) {
        await client.query('ROLLBACK')
        throw error
      } finally {
        client.release()
      }
    },
    rows: async (statement) => (await pool.query(statement)).rows,
    close: () => pool.end(),
  }
}

async function openDrizzleNodePostgres(url: string): Promise<Driver> {
  const pool = poolOf(url)
  return overDrizzle(drizzleNodePostgres(pool) as unknown as DrizzleDb, {
    rows: async (statement) => (await pool.query(statement)).rows,
    close: () => pool.end(),
  })
}

async function openBossAdapter(url: string): Promise<Driver> {
  const pool = poolOf(url)
  return overDrizzle(
    drizzleNodePostgres(pool) as unknown as DrizzleDb,
    { rows: async (statement) => (await pool.query(statement)).rows, close: () => pool.end() },
    (tx) => fromDrizzle(tx as never, sql as never) as Transaction,
  )
}

async function openDrizzlePostgresJs(url: string): Promise<Driver> {
  const client = postgres(url, { max: 2, onnotice: () => {} })
  return overDrizzle(drizzlePostgresJs(client) as unknown as DrizzleDb, {
    rows: async (statement) => [...(await client.unsafe(statement))],
    close: () => client.end(),
  })
}

async function openDrizzlePglite(): Promise<Driver> {
  const db = await migratedPglite()
  return overDrizzle(drizzlePglite(db) as unknown as DrizzleDb, {
    rows: async (statement) => (await db.query<Record<string, unknown>>(statement)).rows,
    close: () => db.close(),
  })
}

async function openPglite(): Promise<Driver> {
  const db = await migratedPglite()
  return {
    transaction: (work) =>
      db.transaction((tx) => {
        const run = async (statement: string) => void (await tx.query(statement))
        return work({ tx, run, nested: savepoint(run, tx) })
      }),
    rows: async (statement) => (await db.query<Record<string, unknown>>(statement)).rows,
    close: () => db.close(),
  }
}

function overDrizzle(
  db: DrizzleDb,
  rest: Omit<Driver, 'transaction'>,
  handOver: (tx: DrizzleTx) => Transaction = (tx) => tx as Transaction,
): Driver {
  return {
    ...rest,
    transaction: (work) =>
      db.transaction((tx) =>
        work({
          tx: handOver(tx),
          run: async (statement) => void (await tx.execute(sql.raw(statement))),
          nested: (inner) => tx.transaction((deeper) => inner(handOver(deeper))).catch(unlessMeant),
        }),
      ),
  }
}

function poolOf(url: string): pg.Pool {
  const pool = new pg.Pool({ connectionString: url, max: 2 })
  pool.on('error', () => {}) // the database is dropped while the last connections close
  return pool
}

function savepoint(run: (statement: string) => Promise<void>, tx: Transaction): AppTransaction['nested'] {
  return async (work) => {
    await run('SAVEPOINT app')
    try {
      await work(tx)
      await run('RELEASE SAVEPOINT app')
    } catch (error) {
      await run('ROLLBACK TO SAVEPOINT app')
      unlessMeant(error)
    }
  }
}

/** Thrown inside `nested` to roll back to its savepoint. */
export class TakeBack extends Error {}

function unlessMeant(error: unknown): void {
  if (!(error instanceof TakeBack)) throw error
}

/** An in-process Postgres with the tables and functions of the package, but without pg-boss, which only the relay uses. */
export async function migratedPglite(): Promise<PGlite> {
  const db = await PGlite.create()
  for (const { statements } of readMigrations(namesOf())) {
    for (const statement of statements) await db.exec(statement)
  }
  return db
}
