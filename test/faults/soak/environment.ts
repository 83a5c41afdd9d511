import pg from 'pg'
import type { FakeCustomerIo } from '../../../src/testing/index.ts'
import type { Pair } from '../support/servers/failover.ts'
import type { ServerClock } from '../support/servers/server-clock.ts'
import type { Ledger } from '../support/shop/shop.ts'
import type { TcpProxy } from '../support/network/tcp-proxy.ts'
import type { GatewayAnswers } from './incidents/gateway-answers.ts'
import type { Refusals } from './incidents/refusals.ts'
import type { SupervisedRelay } from './supervised-relay.ts'

/** The processes, servers and proxies that the incidents affect. */
export interface Environment {
  /** Two Postgres servers. Every address below leads to the present primary. */
  readonly pair: Pair
  /** The clock of both servers. Undefined without libfaketime. */
  readonly clock: ServerClock | undefined
  readonly databaseUrl: string
  /** One proxy per relay, between the relay and Postgres. */
  readonly proxies: readonly TcpProxy[]
  readonly relays: readonly SupervisedRelay[]
  readonly fake: FakeCustomerIo
  /** The operations that the fake refuses for their content. */
  readonly refusals: Refusals
  /** The gateway between the relays and the fake. */
  readonly gateway: GatewayAnswers
  readonly ledger: Ledger
}

/** Runs one statement on a new connection. Returns undefined if the server accepts no connection or ends it. */
export async function query<Row extends pg.QueryResultRow>(
  { databaseUrl }: Pick<Environment, 'databaseUrl'>,
  sql: string,
): Promise<Row[] | undefined> {
  const client = new pg.Client({
    connectionString: databaseUrl,
    connectionTimeoutMillis: 5_000,
    query_timeout: 30_000,
  })
  client.on('error', () => {}) // the statement rejects with the same error
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
