import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { inject } from 'vitest'

export interface TestDatabase {
  readonly url: string
  /** A pool for the test's own statements. */
  readonly pool: pg.Pool
  /** Opens a client and begins a transaction, which the caller ends. */
  begin(): Promise<pg.PoolClient>
  /** Runs `work` in a transaction and commits it. If `work` throws, the transaction rolls back. */
  transaction<T>(work: (tx: pg.PoolClient) => Promise<T>): Promise<T>
  rows<Row extends pg.QueryResultRow>(text: string, values?: unknown[]): Promise<Row[]>
  drop(): Promise<void>
}

/** Creates a database for one test file: a clone of the migrated template, or an empty one. */
export async function createTestDatabase(kind: 'migrated' | 'empty' = 'migrated'): Promise<TestDatabase> {
  const name = `outbox_test_${randomBytes(6).toString('hex')}`
  const template = kind === 'migrated' ? inject('templateDatabase') : 'template0'
  const db = await openTestDatabase(inject('serverUrl'), name, template, onSharedServer)
  if (kind === 'migrated') await db.rows('SELECT outbox.accept_copy()')
  return db
}

/** Opens a test database on any server. `onServer` runs the statements that create and drop it. */
export async function openTestDatabase(
  serverUrl: string,
  name: string,
  template: string,
  onServer: OnServer = onNewConnection(serverUrl),
): Promise<TestDatabase> {
  await onServer(async (client) => {
    await client.query(`CREATE DATABASE "${name}" TEMPLATE "${template}" ${await copyStrategy(client)}`)
  })
  const url = new URL(serverUrl)
  url.pathname = `/${name}`
  const pool = new pg.Pool({ connectionString: url.toString(), max: 20 })
  pool.on('error', () => {}) // a test may end the server's connections
  const begin = async () => {
    const client = await pool.connect()
    await client.query('BEGIN')
    return client
  }
  return {
    url: url.toString(),
    pool,
    begin,
    async transaction(work) {
      const client = await begin()
      try {
        const result = await work(client)
        await client.query('COMMIT')
        return result
      } catch (error) {
        await client.query('ROLLBACK')
        throw error
      } finally {
        client.release()
      }
    },
    rows: async (text, values) => (await pool.query(text, values)).rows,
    async drop() {
      await pool.end()
      await onServer((client) => client.query(`DROP DATABASE "${name}" WITH (FORCE)`))
    },
  }
}

/** Runs `work` on a connection to the server's maintenance database. */
type OnServer = (work: (client: pg.ClientBase) => Promise<unknown>) => Promise<void>

const onNewConnection =
  (serverUrl: string): OnServer =>
  async (work) => {
    const client = new pg.Client({ connectionString: serverUrl })
    await client.connect()
    try {
      await work(client)
    } finally {
      await client.end()
    }
  }

let shared: pg.Pool | undefined

/** Shares a connection among all files of a worker: to open one takes 25 ms of CPU time, and each test would need two. */
const onSharedServer: OnServer = async (work) => {
  if (!shared) {
    const forever = { idleTimeoutMillis: 0, allowExitOnIdle: true }
    shared = new pg.Pool({ connectionString: inject('serverUrl'), max: 1, ...forever })
    shared.on('error', () => {}) // the next statement opens another connection
  }
  const client = await shared.connect()
  try {
    await work(client)
  } finally {
    client.release()
  }
}

/**
 * Returns the option that copies the template's files, if the server does not flush (`fsync = off`). The copy then takes half
 * of the CPU time of a copy through the log. The option exists since PostgreSQL 15.
 */
async function copyStrategy(client: pg.ClientBase): Promise<string> {
  const { rows } = await client.query(
    "SELECT current_setting('server_version_num')::int >= 150000 AND current_setting('fsync') = 'off' AS copies",
  )
  return rows[0].copies ? 'STRATEGY file_copy' : ''
}
