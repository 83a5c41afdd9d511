import pg from 'pg'
import { transaction as zapatosTransaction, IsolationLevel } from 'zapatos/db'
import type { Transaction } from '../../../src/index.ts'
import type { Library, OpenLibrary } from '../contract/library.ts'

const refusal = /got a client outside a transaction, await client\.query\('BEGIN'\) first/

/** Of a pg client that came from a Pool, and of clients with the same methods. */
interface Client {
  query(text: string, values?: unknown[]): Promise<{ rows: unknown[] }>
  release(): void
}

interface Pool<C extends Client> {
  connect(): Promise<C>
  end(): Promise<void>
}

/** A library whose transaction is a client of a pool after BEGIN. */
export function overPool<C extends Client>(pool: Pool<C>, handOver: (client: C) => Transaction): OpenLibrary {
  return {
    async transaction(work) {
      const client = await pool.connect()
      const run = (statement: string) => client.query(statement)
      try {
        await run('BEGIN')
        const result = await work({ tx: handOver(client), run })
        await run('COMMIT')
        return result
      } catch (error) {
        await run('ROLLBACK')
        throw error
      } finally {
        client.release()
      }
    },
    outside: {
      'a client': async (check) => {
        const client = await pool.connect()
        await check(handOver(client)).finally(() => client.release())
      },
    },
    close: () => pool.end(),
  }
}

export function poolOf(url: string): pg.Pool {
  return new pg.Pool({ connectionString: url, max: 2 })
}

export const pgClient: Library = {
  name: 'pg 8.23',
  refusal,
  outside: ['a client'],
  knowsItsEnd: false,
  open: async (url) => overPool(poolOf(url), (client) => client),
}

export const pgPool: Library = {
  name: 'pg 8.23, for its Pool',
  refusal: /got a pg Pool, pass the client on which you ran BEGIN|got a client outside a transaction/,
  outside: ['a Pool'],
  knowsItsEnd: false,
  async open(url) {
    const pool = poolOf(url)
    return { ...overPool(pool, (client) => client), outside: { 'a Pool': (check) => check(pool) } }
  },
}

export const adapter: Library = {
  name: 'an object with executeSql, over pg',
  refusal: /got an adapter .* outside a transaction, wrap the transaction/,
  outside: ['a client'],
  knowsItsEnd: false,
  open: async (url) =>
    overPool(poolOf(url), (client) => ({ executeSql: (text, values) => client.query(text, values) })),
}

export const zapatos: Library = {
  name: 'Zapatos 6',
  refusal,
  outside: [],
  knowsItsEnd: false,
  async open(url) {
    const pool = poolOf(url)
    return {
      transaction: (work) =>
        zapatosTransaction(pool, IsolationLevel.ReadCommitted, (client) =>
          work({ tx: client, run: (statement) => client.query(statement) }),
        ),
      outside: {},
      close: () => pool.end(),
    }
  },
}
