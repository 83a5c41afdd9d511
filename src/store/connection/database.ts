import pg from 'pg'
import { Connections } from './connection.ts'
import { isSilence } from './connection-error.ts'
import { type Names, namesOf } from '../names.ts'

/** A pool, and the names of its schema. Every function that runs a statement of the relay takes a `Database`. */
export interface Database {
  readonly names: Names
  query<Row extends object>(text: string, values?: readonly unknown[]): Promise<Row[]>
  /** Like `query`, with each row as an array in the order of the columns. For thousands of rows. */
  queryArrays<Row extends unknown[]>(text: string, values?: readonly unknown[]): Promise<Row[]>
  /**
   * Resolves when every connection is closed, also a connection whose peer is gone.
   *
   * @param withinMs Milliseconds for statements that run. Default: 2000.
   */
  close(withinMs?: number): Promise<void>
}

type Query = <Row extends object>(text: string) => Promise<Row[]>

export interface DatabaseOptions {
  readonly connectionString: string
  readonly schema?: string | undefined
  /** The most connections. Default: 5. */
  readonly max?: number
  /** As `pg_stat_activity` shows it. Default: `customerio-outbox`. */
  readonly applicationName?: string
  /** Milliseconds to wait for an answer. Default: 20,000. */
  readonly answerMs?: number | undefined
  /** Called for each new connection before its first statement. If it rejects, the statement fails with its error. */
  readonly onConnect?: (query: Query) => Promise<void>
  /** Called with an error of an idle connection. Default: the error is ignored. */
  readonly onError?: (error: Error) => void
}

/** Milliseconds in which statements of a replaced pool may still be answered: the deadline of an answer, and some more. */
const LAST_ANSWER_MS = 25_000

/**
 * Removes the parts of an error that quote the row of the failed statement, because the row has a payload and the error
 * reaches events and logs.
 */
function withoutRow(error: unknown): unknown {
  if (error instanceof pg.DatabaseError) {
    error.detail = undefined
    error.where = undefined
  }
  return error
}

export function openDatabase(options: DatabaseOptions): Database {
  const open = () => {
    const connections = new Connections({
      connectionString: options.connectionString,
      applicationName: options.applicationName ?? 'customerio-outbox',
      ...(options.answerMs === undefined ? {} : { queryTimeoutMs: options.answerMs }),
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
  // Replaces the whole pool: if one connection gets no answer, the others get none either. Each would notice this only at
  // its own deadline, and while statements wait on all connections, none is free.
  const replace = ({ connections, pool }: ReturnType<typeof open>) => {
    current = open()
    retired.add(connections)
    void connections.close(pool.end(), LAST_ANSWER_MS).then(() => retired.delete(connections))
  }
  // pg removes a connection from the pool when its statement fails, also by a timeout.
  const run = async <Row>(ask: (pool: pg.Pool) => Promise<{ rows: Row[] }>) => {
    const used = current
    try {
      return (await ask(used.pool)).rows
    } catch (error) {
      if (isSilence(error as Error) && used === current) replace(used)
      throw withoutRow(error)
    }
  }
  return {
    names: namesOf(options.schema),
    query: <Row extends object>(text: string, values: readonly unknown[] = []) =>
      run((pool) => pool.query<Row>(text, [...values])),
    queryArrays: <Row extends unknown[]>(text: string, values: readonly unknown[] = []) =>
      run((pool) => pool.query<Row>({ text, values: [...values], rowMode: 'array' })),
    close: async (withinMs) => {
      for (const connections of retired) connections.destroy()
      await current.connections.close(current.pool.end(), withinMs)
    },
  }
}
