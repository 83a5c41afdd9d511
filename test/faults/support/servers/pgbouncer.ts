import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, chownSync, constants } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { freePort, NOBODY } from '../../../../src/testing/postgres/embedded-cluster.ts'

export interface PgBouncer {
  /** Converts a URL of the server to one through the pooler. */
  url(original: string): string
  /** The log of PgBouncer so far. */
  readonly log: string
  close(): Promise<void>
}

export interface PgBouncerOptions {
  /** Connections to the server per database, shared by the clients. Default: 20. */
  readonly poolSize?: number
  /** When a client gives its connection to the server back. Default: `transaction`. */
  readonly mode?: 'transaction' | 'session'
}

/** Returns the path of pgbouncer. If it is not installed, prints one line that names the skipped tests. */
export function findPgBouncer(whatIsSkipped: string): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(path.delimiter), '/usr/sbin', '/usr/local/sbin']
  const found = folders.map((folder) => path.join(folder, 'pgbouncer')).find(isExecutable)
  if (!found) {
    console.warn(`pgbouncer is not installed: ${whatIsSkipped} is skipped (apt-get install pgbouncer)`)
  }
  return found
}

/**
 * Starts PgBouncer in front of a server, in transaction mode or the given one, and otherwise with default settings.
 *
 * @param serverUrl A URL with a user and a password.
 */
export async function startPgBouncer(
  binary: string,
  serverUrl: string,
  { poolSize = 20, mode = 'transaction' }: PgBouncerOptions = {},
): Promise<PgBouncer> {
  const { hostname, port: serverPort, username, password } = new URL(serverUrl)
  const home = await mkdtemp(path.join(tmpdir(), 'customerio-outbox-pgbouncer-'))
  const port = await freePort()
  const file = async (name: string, text: string) => {
    const at = path.join(home, name)
    await writeFile(at, text, { mode: 0o644 })
    return at
  }
  const users = `"${decodeURIComponent(username)}" "${decodeURIComponent(password)}"\n`
  const config = await file(
    'pgbouncer.ini',
    `[databases]
* = host=${hostname.replace(/^\[|\]$/g, '')} port=${serverPort || 5432}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = ${await file('users.txt', users)}
pool_mode = ${mode}
default_pool_size = ${poolSize}
max_client_conn = 500
`,
  )
  const asRoot = process.getuid?.() === 0 // PgBouncer refuses to run as root, as Postgres does
  if (asRoot) chownSync(home, NOBODY.uid, NOBODY.gid)
  const child = spawn(binary, [config], {
    ...(asRoot ? NOBODY : {}),
    cwd: home,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let log = ''
  const up = Promise.withResolvers<void>()
  child.stderr.on('data', (chunk: Buffer) => {
    log += chunk.toString()
    if (log.includes('process up')) up.resolve()
  })
  child.once('error', up.reject)
  child.once('exit', () => up.reject(new Error(`pgbouncer did not start: ${log.trim()}`)))
  const close = async () => {
    if (child.exitCode === null && child.signalCode === null && child.pid !== undefined) {
      const exited = once(child, 'exit')
      child.kill('SIGKILL') // only this test uses it, and it has no data
      await exited
    }
    await rm(home, { recursive: true, force: true })
  }
  await up.promise.catch(async (error) => {
    await close()
    throw error
  })
  return {
    url: (original) => {
      const url = new URL(original)
      url.hostname = '127.0.0.1'
      url.port = String(port)
      return url.toString()
    },
    get log() {
      return log
    },
    close,
  }
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}
