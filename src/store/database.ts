import pg from 'pg'
import { type Names, namesOf } from './names.ts'

/** A pool together with the names of the schema that it works in. Every statement of the relay takes one. */
export interface Database {
  readonly names: Names
  query<Row extends pg.QueryResultRow>(text: string, values?: readonly unknown[]): Promise<Row[]>
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
  const pool = new pg.Pool({
    connectionString: options.connectionString,
    max: options.max ?? 5,
    application_name: options.applicationName ?? 'customerio-outbox',
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
  })
  pool.on('error', (error) => options.onError?.(error))
  return {
    names: namesOf(options.schema),
    query: async <Row extends pg.QueryResultRow>(text: string, values: readonly unknown[] = []) =>
      (await pool.query<Row>(text, [...values])).rows,
    close: () => pool.end(),
  }
}
