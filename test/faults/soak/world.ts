import pg from 'pg'
import type { FakeCustomerIo } from '../../../src/testing/index.ts'
import type { Pair } from '../support/failover.ts'
import type { ServerClock } from '../support/server-clock.ts'
import type { Ledger } from '../support/shop.ts'
import type { TcpProxy } from '../support/tcp-proxy.ts'
import type { GatewayAnswers } from './gateway-answers.ts'
import type { Refusals } from './refusals.ts'
import type { SupervisedRelay } from './supervised-relay.ts'

/** Everything that can go wrong. */
export interface World {
  /** Two servers; every address below leads to the one that is the primary. */
  readonly pair: Pair
  /** That of both servers. Undefined if it cannot be stepped here. */
  readonly clock: ServerClock | undefined
  readonly databaseUrl: string
  /** Between each relay and Postgres. */
  readonly proxies: readonly TcpProxy[]
  readonly relays: readonly SupervisedRelay[]
  readonly fake: FakeCustomerIo
  /** What the fake refuses for its content. */
  readonly refusals: Refusals
  /** Between the relays and the fake. */
  readonly gateway: GatewayAnswers
  readonly ledger: Ledger
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
