import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Debian's `redis-server` with the server's own defaults: RDB snapshots, no append-only file. */
export class Redis implements AsyncDisposable {
  readonly url: string
  readonly version: string
  readonly settings: Readonly<Record<string, string>>
  readonly #child: ChildProcess
  readonly #home: string

  private constructor(child: ChildProcess, home: string, port: number, version: string) {
    this.#child = child
    this.#home = home
    this.url = `redis://127.0.0.1:${port}`
    this.version = version
    this.settings = { appendonly: 'no', save: '3600 1 300 100 60 10000', 'maxmemory-policy': 'noeviction' }
  }

  /** Undefined if `redis-server` is not installed. */
  static async start(): Promise<Redis | undefined> {
    const version = await installedVersion()
    if (version === undefined) return undefined
    const home = await mkdtemp(path.join(tmpdir(), 'customerio-outbox-bench-redis-'))
    const port = await freePort()
    const child = spawn(
      'redis-server',
      ['--port', String(port), '--bind', '127.0.0.1', '--dir', home, '--appendonly', 'no'],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    )
    await ready(child)
    return new Redis(child, home, port, version)
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  async flush(): Promise<void> {
    await run('redis-cli', ['-u', this.url, 'FLUSHALL'])
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const exited = once(this.#child, 'exit')
    this.#child.kill('SIGKILL') // its data is not needed
    await exited
    await rm(this.#home, { recursive: true, force: true })
  }
}

async function installedVersion(): Promise<string | undefined> {
  try {
    const { stdout } = await run('redis-server', ['--version'])
    return stdout.match(/v=(\S+)/)?.[1] ?? 'unknown'
  } catch {
    return undefined
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('Expected a free TCP port, got none')
  return address.port
}

async function ready(child: ChildProcess): Promise<void> {
  let output = ''
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  child.stdout?.on('data', (chunk: Buffer) => {
    output = (output + chunk.toString()).slice(-4_000)
    if (output.includes('Ready to accept connections')) resolve()
  })
  child.once('exit', () => reject(new Error(`redis-server did not start: ${output.trim()}`)))
  child.once('error', reject)
  await promise
}
