import pg from 'pg'
import type { Queryable } from '../../observe/views/queryable.ts'
import { Connections } from '../../store/connection/connection.ts'

const READ_TIMEOUT_MS = 5_000

export interface HealthReader extends Queryable {
  close(): Promise<void>
}

/** Opens two connections for the endpoints, so that a health check does not wait for the relay's work. */
export function openReader(connectionString: string): HealthReader {
  const connections = new Connections({
    connectionString,
    applicationName: 'customerio-outbox relay health',
    connectTimeoutMs: READ_TIMEOUT_MS,
    queryTimeoutMs: READ_TIMEOUT_MS,
  })
  const pool = new pg.Pool({ ...connections.config, max: 2 })
  pool.on('error', () => {}) // the next read reports it
  return {
    query: (text, values) => read(pool, text, values),
    close: () => connections.close(pool.end()),
  }
}

/**
 * Runs one read with a timeout on the server, so that an abandoned read ends there too. The timeout is set for the
 * transaction, because a pooler refuses it as a startup option, and shares the connection with other clients.
 */
async function read(pool: pg.Pool, text: string, values?: unknown[]): Promise<{ rows: unknown[] }> {
  const client = await pool.connect()
  const onError = () => {} // the statement that runs fails too
  client.on('error', onError)
  let failed = true
  try {
    await client.query(`BEGIN READ ONLY; SET LOCAL statement_timeout = ${READ_TIMEOUT_MS}`)
    const result = await client.query(text, values)
    await client.query('COMMIT')
    failed = false
    return result
  } finally {
    client.off('error', onError)
    client.release(failed)
  }
}
