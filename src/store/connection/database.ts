import pg from 'pg'
import { Connections } from './connection.ts'
import { isSilence } from './connection-error.ts'
import { type Names, namesOf } from '../names.ts'

/** A pool together with the names of the schema that it works in. Every statement of the relay takes one. */
export interface Database {
  readonly names: Names
  query<Row extends pg.QueryResultRow>(text: string, values?: readonly unknown[]): Promise<Row[]>
  /** The same with each row as an array, in the order of the columns: for rows by the thousand. */
  queryArrays<Row extends unknown[]>(text: string, values?: readonly unknown[]): Promise<Row[]>
  /** Resolves when every connection is closed, also those whose other end is gone. */
  close(): Promise<void>
}

type Query = <Row extends object>(text: string) => Promise<Row[]>

export interface DatabaseOptions {
  readonly connectionString: string
  readonly schema?: string | undefined
  /** Connections at most. Default: 5. */
  readonly max?: number
  readonly applicationName?: string
  /** Called for each new connection before its first statement; if it rejects, that statement fails with its error. */
  readonly onConnect?: (query: Query) => Promise<void>
  /** Told of errors of idle connections, which would otherwise end the process. */
  readonly onError?: (error: Error) => void
}

/** A pool that is given up: what it has under way may still be answered, within the deadline of an answer. */
const LAST_ANSWER_MS = 25_000

export function openDatabase(options: DatabaseOptions): Database {
  const open = () => {
    const connections = new Connections({
      connectionString: options.connectionString,
      applicationName: options.applicationName ?? 'customerio-outbox',
    })
    const pool = new pg.Pool({
      ...connections.config,
      max: options.max ?? 5,
      onConnect: (client) => options.onConnect?.(async (text) => (await client.query(text)).rows),
    })
    pool.on('error', (error) => options.onError?.(error))
    return { connections, pool }
  }
  const retired = new Set<Connections>()
  let current = open()
  // Where one connection has fallen silent the others will have too. Each would cost a deadline to find out, and while
  // statements hang on all of them no other can be had.
  const replace = ({ connections, pool }: ReturnType<typeof open>) => {
    current = open()
    retired.add(connections)
    void connections.close(pool.end(), LAST_ANSWER_MS).then(() => retired.delete(connections))
  }
  // A statement that fails, also for want of an answer, takes its connection out of the pool.
  const run = async <Row>(ask: (pool: pg.Pool) => Promise<{ rows: Row[] }>) => {
    const used = current
    try {
      return (await ask(used.pool)).rows
    } catch (error) {
      if (isSilence(error as Error) && used === current) replace(used)
      throw error
    }
  }
  return {
    names: namesOf(options.schema),
    query: <Row extends pg.QueryResultRow>(text: string, values: readonly unknown[] = []) =>
      run((pool) => pool.query<Row>(text, [...values])),
    queryArrays: <Row extends unknown[]>(text: string, values: readonly unknown[] = []) =>
      run((pool) => pool.query<Row>({ text, values: [...values], rowMode: 'array' })),
    close: async () => {
      for (const connections of retired) connections.destroy()
      await current.connections.close(current.pool.end())
    },
  }
}
