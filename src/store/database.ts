import pg from 'pg'
import { Connections } from './connection.ts'
import { type Names, namesOf } from './names.ts'

/** A pool together with the names of the schema that it works in. Every statement of the relay takes one. */
export interface Database {
  readonly names: Names
  query<Row extends pg.QueryResultRow>(text: string, values?: readonly unknown[]): Promise<Row[]>
  /** Resolves when every connection is closed, also those whose other end is gone. */
  close(): Promise<void>
}

export interface DatabaseOptions {
  readonly connectionString: string
  readonly schema?: string | undefined
  /** Connections at most. Default: 5. */
  readonly max?: number
  readonly applicationName?: string
  /** Told of errors of idle connections, which would otherwise end the process. */
  readonly onError?: (error: Error) => void
}

export function openDatabase(options: DatabaseOptions): Database {
  const connections = new Connections({
    connectionString: options.connectionString,
    applicationName: options.applicationName ?? 'customerio-outbox',
  })
  const pool = new pg.Pool({ ...connections.config, max: options.max ?? 5 })
  pool.on('error', (error) => options.onError?.(error))
  return {
    names: namesOf(options.schema),
    // A statement that fails, also for want of an answer, takes its connection out of the pool.
    query: async <Row extends pg.QueryResultRow>(text: string, values: readonly unknown[] = []) =>
      (await pool.query<Row>(text, [...values])).rows,
    close: () => connections.close(pool.end()),
  }
}
