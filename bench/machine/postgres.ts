import pg from 'pg'
import { startRealPostgres } from '../../src/testing/postgres/real-postgres.ts'
import { familyCpuSeconds, parentOf } from './process-usage.ts'

/** Settings that determine durability and speed. Reported with the results. */
const REPORTED_SETTINGS = [
  'server_version',
  'fsync',
  'synchronous_commit',
  'full_page_writes',
  'shared_buffers',
  'max_wal_size',
  'max_connections',
]

/** One Postgres server for all peers that store jobs in Postgres: separate databases, the same durability. */
export class Postgres implements AsyncDisposable {
  readonly source: string
  readonly settings: Readonly<Record<string, string>>
  readonly #serverUrl: string
  readonly #admin: pg.Client
  readonly #stop: () => Promise<void>
  readonly #databases = new Set<string>()
  #last = 0

  private constructor(
    server: { readonly url: string; readonly source: string; stop(): Promise<void> },
    admin: pg.Client,
    settings: Readonly<Record<string, string>>,
  ) {
    this.source = server.source
    this.settings = settings
    this.#serverUrl = server.url
    this.#admin = admin
    this.#stop = server.stop
  }

  /** Uses `DATABASE_URL`, else a container, else the embedded server, like the tests but with durable settings. */
  static async start(): Promise<Postgres> {
    const server = await startRealPostgres()
    const admin = new pg.Client({ connectionString: server.url })
    await admin.connect()
    const { rows } = await admin.query<{ name: string; value: string }>(
      'SELECT name, current_setting(name) AS value FROM pg_settings WHERE name = ANY ($1)',
      [REPORTED_SETTINGS],
    )
    return new Postgres(server, admin, Object.fromEntries(rows.map(({ name, value }) => [name, value])))
  }

  /** Creates a database, empty or a copy of `template`, and returns its URL. Ends with a checkpoint. */
  async create(template = 'template0'): Promise<string> {
    const name = `outbox_bench_${process.pid}_${++this.#last}`
    const source = this.#databases.has(nameOf(template)) ? nameOf(template) : template
    await this.#admin.query(`CREATE DATABASE "${name}" TEMPLATE "${source}"`)
    this.#databases.add(name)
    const url = new URL(this.#serverUrl)
    url.pathname = `/${name}`
    if (template !== 'template0') await acceptCopy(url.toString())
    await this.checkpoint()
    return url.toString()
  }

  async drop(url: string): Promise<void> {
    const name = nameOf(url)
    await this.#admin.query(`DROP DATABASE IF EXISTS "${name}" WITH (FORCE)`)
    this.#databases.delete(name)
  }

  /** CPU seconds of all server processes so far. Undefined if /proc does not show them. */
  async cpuSeconds(): Promise<number | undefined> {
    const { rows } = await this.#admin.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
    const server = parentOf(rows[0]?.pid ?? 0)
    return server === undefined ? undefined : familyCpuSeconds(server, 'postgres')
  }

  /** Flushes pending writes, so they do not slow the next run. */
  async checkpoint(): Promise<void> {
    await this.#admin.query('CHECKPOINT')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const name of this.#databases) {
      await this.#admin.query(`DROP DATABASE IF EXISTS "${name}" WITH (FORCE)`).catch(() => {})
    }
    await this.#admin.end()
    await this.#stop()
  }
}

function nameOf(url: string): string {
  return URL.canParse(url) ? new URL(url).pathname.slice(1) : url
}

/** Runs `work` with a new connection, and closes it. */
export async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => {}) // the running statement rejects with the same error
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}

/** Accepts a copied database of the outbox. Before that, relays do not deliver from it. */
async function acceptCopy(databaseUrl: string): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  try {
    const { rows } = await client.query("SELECT to_regclass('outbox.origin') IS NOT NULL AS ours")
    if (rows[0].ours) await client.query('SELECT outbox.accept_copy()')
  } finally {
    await client.end()
  }
}
