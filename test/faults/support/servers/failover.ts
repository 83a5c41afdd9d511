import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import pg from 'pg'
import { migrate } from '../../../../src/store/migrate/migrate.ts'
import { openTestDatabase, type TestDatabase } from '../../../support/database.ts'
import { eventually } from '../../../support/eventually.ts'
import { copyCluster } from './base-backup.ts'
import { type PostgresServer, type PostgresServerOptions, startPostgresServer } from './postgres-server.ts'
import { startTcpProxy, type TcpProxy } from '../network/tcp-proxy.ts'

/** A primary and its streaming replica, with one address that leads to the primary, like a virtual IP or a DNS name. */
export interface Pair {
  /** The stable address of the maintenance database, which apps and relays use before and after a failover. */
  readonly url: string
  /** The proxy in front of the primary. It can cut, delay and swallow connections. */
  readonly address: TcpProxy
  /** Opens another stable address, whose connections can be cut separately. `close` of the pair closes it. */
  route(): Promise<TcpProxy>
  /** The server that clients of `url` reach now. A failover changes it. */
  readonly primary: PostgresServer
  /** Undefined after a failover, until `addStandby`. */
  readonly standby: PostgresServer | undefined
  /**
   * Stops replication after the standby has received all previous commits, so later commits are lost with the primary.
   * Resolves when the standby has no connection to the primary.
   */
  lag(): Promise<void>
  /** Resumes replication. Resolves when the standby has replayed all WAL that the primary has flushed so far. */
  catchUp(): Promise<void>
  /**
   * Crashes the primary, promotes the standby and directs the address to it. Resolves when the new primary accepts writes.
   * All connections through its addresses are cut. Without a `lag()` before it, the standby first receives all WAL that the
   * primary has flushed.
   *
   * @param whenCrashed Called after the primary has crashed and before the standby accepts writes.
   */
  failover(whenCrashed?: () => void): Promise<void>
  /** Removes the crashed primary, and creates a new standby of the present primary. */
  addStandby(): Promise<void>
  /** Creates a migrated database on both servers, reached by the stable address. `drop` it, or close the pair. */
  createDatabase(name?: string): Promise<TestDatabase>
  /** Stops both servers and removes their data. */
  close(): Promise<void>
}

/** The primary keeps enough WAL for a copy and for a lag. A standby that lost its connection reconnects within 100 ms. */
const SETTINGS = ['wal_keep_size=256MB', 'wal_retrieve_retry_interval=100ms']

/** Starts a primary and its replica. */
export async function startPair(options: PostgresServerOptions = {}): Promise<Pair> {
  await using cleanup = new AsyncDisposableStack()
  const settings = [...SETTINGS, ...(options.settings ?? [])]
  const servers = new Set<PostgresServer>()
  cleanup.defer(async () => void (await Promise.all([...servers].map((server) => server.close()))))
  const begin = async (own: PostgresServerOptions) => {
    const server = await startPostgresServer(own)
    servers.add(server)
    return server
  }
  let primary = await begin({ ...options, settings })
  let standby: PostgresServer | undefined
  let crashed: PostgresServer | undefined
  let isLagging = false
  const routes: TcpProxy[] = []
  cleanup.defer(async () => void (await Promise.all(routes.map((each) => each.close()))))
  const route = async () => {
    const proxy = await startTcpProxy(primary.url)
    routes.push(proxy)
    return proxy
  }
  const address = await route()
  const stream = cleanup.adopt(await startTcpProxy(primary.url), (it) => it.close())
  const url = address.url(primary.url)

  const replayed = async (from: PostgresServer, by: PostgresServer) => {
    const [flushed] = await rows(from.url, 'SELECT pg_current_wal_flush_lsn() AS lsn')
    const isThere = async () => {
      const [row] = await rows(by.url, `SELECT pg_last_wal_replay_lsn() >= '${flushed?.lsn}' AS there`)
      return row?.there === true
    }
    await eventually('the standby to replay', isThere, 30_000)
  }
  const addStandby = async () => {
    if (standby) throw new Error('Expected a pair without a standby, got one with a standby')
    if (crashed) {
      await crashed.close()
      servers.delete(crashed)
      crashed = undefined
    }
    stream.lead(primary.url)
    await stream.restore()
    isLagging = false
    const source = primary
    const fill = async (data: string) => {
      await copyCluster(source, data)
      await writeFile(path.join(data, 'standby.signal'), '')
    }
    standby = await begin({
      ...options,
      settings: [...settings, `primary_conninfo=${conninfo(stream.url(source.url))}`],
      fill,
    })
    await replayed(source, standby)
  }
  await addStandby()
  const held = cleanup.move()

  return {
    url,
    address,
    route,
    get primary() {
      return primary
    },
    get standby() {
      return standby
    },
    async lag() {
      if (!standby) throw new Error('there is no standby')
      await replayed(primary, standby)
      isLagging = true
      await stream.refuse()
      stream.cut('rst')
      const senders = () => rows(primary.url, 'SELECT 1 FROM pg_stat_replication')
      await eventually('the end of replication', async () => (await senders()).length === 0)
    },
    async catchUp() {
      if (!standby) throw new Error('there is no standby')
      await stream.restore()
      isLagging = false
      await replayed(primary, standby)
    },
    async failover(whenCrashed = () => {}) {
      if (!standby) throw new Error('there is no standby')
      if (!isLagging) await replayed(primary, standby)
      crashed = primary
      await primary.crash()
      whenCrashed()
      await rows(standby.url, 'SELECT pg_promote()')
      primary = standby
      standby = undefined
      for (const each of routes) {
        each.lead(primary.url)
        each.cut('rst') // including half-open connections
      }
    },
    addStandby,
    async createDatabase(name = 'outbox_test') {
      const db = await openTestDatabase(url, name, 'template0')
      await migrate({ connectionString: db.url })
      return db
    },
    close: () => held.disposeAsync(),
  }
}

function conninfo(url: string): string {
  const { hostname, port, username, password } = new URL(url)
  return `host=${hostname} port=${port} user=${username} password=${password} sslmode=disable gssencmode=disable`
}

async function rows(connectionString: string, sql: string): Promise<pg.QueryResultRow[]> {
  const client = new pg.Client({ connectionString })
  client.on('error', () => {}) // the statement rejects with the same error
  await client.connect()
  try {
    return (await client.query(sql)).rows
  } finally {
    await client.end()
  }
}
