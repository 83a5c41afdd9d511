import pg from 'pg'
import type { FakeCustomerIo } from '../../../src/testing/index.ts'
import type { PostgresServer } from '../support/postgres-server.ts'
import type { TcpProxy } from '../support/tcp-proxy.ts'
import type { Refusals } from './refusals.ts'
import type { SupervisedRelay } from './supervised-relay.ts'

/** Everything that can go wrong. */
export interface World {
  readonly server: PostgresServer
  readonly databaseUrl: string
  /** Between each relay and Postgres. */
  readonly proxies: readonly TcpProxy[]
  readonly relays: readonly SupervisedRelay[]
  readonly fake: FakeCustomerIo
  /** What the fake refuses for its content. */
  readonly refusals: Refusals
}

/** One statement on a connection of its own. Undefined where the server takes none. */
export async function ask<Row extends pg.QueryResultRow>(
  { databaseUrl }: Pick<World, 'databaseUrl'>,
  sql: string,
): Promise<Row[] | undefined> {
  const client = new pg.Client({
    connectionString: databaseUrl,
    connectionTimeoutMillis: 5_000,
    query_timeout: 30_000,
  })
  client.on('error', () => {}) // the statement says it
  try {
    await client.connect()
    return (await client.query<Row>(sql)).rows
  } catch (error) {
    if (error instanceof pg.DatabaseError && !/^(08|57)/.test(error.code ?? '')) throw error
    return undefined
  } finally {
    await client.end().catch(() => {})
  }
}

export async function onClient<T>(
  connectionString: string,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = new pg.Client({ connectionString })
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}
