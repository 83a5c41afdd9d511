import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { eventually } from './eventually.ts'

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))

export interface CliRun {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface CliProcess {
  readonly child: ChildProcess
  readonly stdout: string
  readonly stderr: string
  /** Resolves with the first match on stdout; rejects if the process ends before. */
  printed(pattern: RegExp): Promise<RegExpMatchArray>
  ended(): Promise<CliRun>
}

/** Starts the command line in a process of its own, with none of the caller's settings in its environment. */
export function startCli(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  main = MAIN,
  cwd?: string,
): CliProcess {
  const child = spawn(process.execPath, [main, ...args], {
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE,
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
    cwd,
  })
  const output = { stdout: '', stderr: '' }
  child.stdout.on('data', (chunk: Buffer) => {
    output.stdout += chunk.toString()
  })
  child.stderr.on('data', (chunk: Buffer) => {
    output.stderr += chunk.toString()
  })
  const closed = once(child, 'close')
  return {
    child,
    get stdout() {
      return output.stdout
    },
    get stderr() {
      return output.stderr
    },
    printed: (pattern) =>
      eventually(`${pattern} on stdout`, () => {
        const match = output.stdout.match(pattern)
        if (!match && child.exitCode !== null)
          throw new Error(`the command exited with ${child.exitCode}: ${output.stderr}`)
        return match ?? undefined
      }),
    async ended() {
      await closed
      return { status: child.exitCode ?? null, ...output }
    },
  }
}

/** Runs the command line to its end. */
export function runCli(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<CliRun> {
  return startCli(args, env).ended()
}
