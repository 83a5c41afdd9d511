import type pg from 'pg'
import { fromBunSql } from 'pg-boss'
import type { Transaction } from '../../../src/index.ts'
import type { Library } from '../contract/library.ts'
import { poolOf } from './pg.ts'

/**
 * The members of Bun's `SQL`, over a pg client, because the suite runs on Node.js. Its errors have the code
 * `ERR_POSTGRES_SERVER_ERROR`, and the SQLSTATE in `errno`.
 */
function sqlOver(client: Pick<pg.ClientBase, 'query'>) {
  const unsafe = async (text: string, values?: unknown[]): Promise<Record<string, unknown>[]> => {
    try {
      return (await client.query(text, values)).rows
    } catch (error) {
      const { message, code: errno } = error as Error & { code: string }
      throw Object.assign(new Error(message), {
        name: 'PostgresError',
        code: 'ERR_POSTGRES_SERVER_ERROR',
        errno,
      })
    }
  }
  const members = {
    unsafe,
    begin: () => Promise.reject(new Error('not in this shape')),
    reserve: () => Promise.reject(new Error('not in this shape')),
  }
  return Object.assign(() => Promise.reject(new Error('not in this shape')), members)
}

type Sql = ReturnType<typeof sqlOver>

/** In a transaction, Bun's `sql` also has `savepoint`. It still has `begin`. */
function transactionSqlOver(client: pg.ClientBase) {
  const savepoint = async <T>(work: (sql: Sql) => Promise<T>): Promise<T> => {
    await client.query('SAVEPOINT bun')
    try {
      const result = await work(transactionSqlOver(client))
      await client.query('RELEASE SAVEPOINT bun')
      return result
    } catch (error) {
      await client.query('ROLLBACK TO SAVEPOINT bun')
      throw error
    }
  }
  return Object.assign(sqlOver(client), { savepoint })
}

type TransactionSql = ReturnType<typeof transactionSqlOver>

const over = async (
  url: string,
  handOver: (sql: TransactionSql) => Transaction,
  bare: (sql: Sql) => unknown,
) => {
  const pool = poolOf(url)
  return {
    async transaction<T>(work: Parameters<Awaited<ReturnType<Library['open']>>['transaction']>[0]) {
      const client = await pool.connect()
      const sql = transactionSqlOver(client)
      try {
        await client.query('BEGIN')
        const result = await work({ tx: handOver(sql), run: (statement) => sql.unsafe(statement) })
        await client.query('COMMIT')
        return result as T
      } catch (error) {
        await client.query('ROLLBACK')
        throw error
      } finally {
        client.release()
      }
    },
    outside: { sql: (check: (handle: unknown) => Promise<void>) => check(bare(sqlOver(pool))) },
    close: () => pool.end(),
  }
}

export const bunShape: Library = {
  name: "the shape of Bun's SQL",
  refusal: /got a postgres\.js or Bun .*, use the sql of sql\.begin\(async \(sql\) => …\)/,
  outside: ['sql'],
  knowsItsEnd: false,
  open: (url) =>
    over(
      url,
      (sql) => sql,
      (sql) => sql,
    ),
}

export const bunAdapter: Library = {
  name: "pg-boss' fromBunSql",
  refusal: /got an adapter .* outside a transaction/,
  outside: ['sql'],
  knowsItsEnd: false,
  open: (url) => over(url, fromBunSql, fromBunSql),
}
