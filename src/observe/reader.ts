import pg from 'pg'
import { Connections } from '../store/connection/connection.ts'
import type { Queryable } from './views/queryable.ts'

export interface ReaderOptions {
  readonly connectionString: string
  /** As `pg_stat_activity` shows it. */
  readonly applicationName: string
  /** The most connections. */
  readonly max: number
  /** Milliseconds to connect, and for each statement. */
  readonly timeoutMs: number
}

export interface Reader extends Queryable {
  /** @param withinMs Milliseconds for the reads that run. Default: longer than a healthy server needs. */
  close(withinMs?: number): Promise<void>
}

/** Milliseconds after its own timeout in which the server may say so. After that, the connection counts as lost. */
const GRACE_MS = 500

/** Opens connections that only read, for health checks and doctor. */
export function openReader({ max, timeoutMs, ...options }: ReaderOptions): Reader {
  const connections = new Connections({
    ...options,
    connectTimeoutMs: timeoutMs,
    queryTimeoutMs: timeoutMs + GRACE_MS,
  })
  const pool = new pg.Pool({ ...connections.config, max })
  pool.on('error', () => {}) // the next read reports it
  return {
    query: (text, values) => read(pool, timeoutMs, text, values),
    close: (withinMs) => connections.close(pool.end(), withinMs),
  }
}

/**
 * Runs one read with a timeout on the server, so that an abandoned read ends there too. The timeout is set for the
 * transaction, because a pooler refuses it as a startup option, and shares the connection with other clients.
 */
async function read(
  pool: pg.Pool,
  timeoutMs: number,
  text: string,
  values?: unknown[],
): Promise<{ rows: unknown[] }> {
  const client = await pool.connect()
  const onError = () => {} // the statement that runs fails too
  client.on('error', onError)
  let failed = true
  try {
    await client.query(`BEGIN READ ONLY; SET LOCAL statement_timeout = ${timeoutMs}`)
    const result = await client.query(text, values)
    await client.query('COMMIT')
    failed = false
    return result
  } finally {
    client.off('error', onError)
    client.release(failed)
  }
}
