import pg from 'pg'
import type { Queryable } from '../../observe/views/queryable.ts'
import { Connections } from '../../store/connection/connection.ts'

const READ_TIMEOUT_MS = 5_000

export interface HealthReader extends Queryable {
  close(): Promise<void>
}

/** Reads for the endpoints, on two connections of their own: a probe must not wait behind the relay's work. */
export function openReader(connectionString: string): HealthReader {
  const connections = new Connections({
    connectionString,
    applicationName: 'customerio-outbox relay health',
    connectTimeoutMs: READ_TIMEOUT_MS,
    queryTimeoutMs: READ_TIMEOUT_MS,
  })
  const pool = new pg.Pool({ ...connections.config, max: 2 })
  pool.on('error', () => {}) // the next read says it
  return {
    query: (text, values) => read(pool, text, values),
    close: () => connections.close(pool.end()),
  }
}

/**
 * The server's own deadline: a read that nobody waits for any more must not go on there. For its transaction only,
 * because a pooler hands the connection on to others, and refuses the setting when the connection is made.
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
