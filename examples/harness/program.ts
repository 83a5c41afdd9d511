import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

/** Milliseconds between SIGTERM and SIGKILL. */
const GRACE_MS = 10_000
const CONNECT_EVERY_MS = 100

const running = new Set<Program>()

/** Kills every program that still runs. For the end of this process. */
export function killAll(): void {
  for (const program of running) program.kill('SIGKILL')
}

export interface ProgramOptions {
  readonly cwd: string
  readonly environment: Readonly<Record<string, string>>
  readonly onOutput?: ((chunk: string) => void) | undefined
}

/** A shell command that runs in a process group of its own, so that a signal also reaches the processes that it starts. */
export class Program {
  readonly #command: string
  readonly #child: ChildProcess
  readonly #exited: Promise<unknown>
  #output = ''

  constructor(command: string, { cwd, environment, onOutput }: ProgramOptions) {
    this.#command = command
    this.#child = spawn(command, {
      cwd,
      env: { ...process.env, ...environment },
      shell: true,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    running.add(this)
    this.#exited = once(this.#child, 'close').finally(() => running.delete(this))
    this.#exited.catch(() => {}) // the callers of ended() get it
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', (chunk: string) => {
        this.#output = (this.#output + chunk).slice(-20_000)
        onOutput?.(chunk)
      })
    }
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null
  }

  get status(): number | null {
    return this.#child.exitCode
  }

  /** The end of what the program has printed. */
  get output(): string {
    return this.#output.trim().split('\n').slice(-25).join('\n')
  }

  /** Resolves when the program has ended. Rejects if it has not after `withinMs`. */
  async ended(withinMs: number): Promise<void> {
    const late = new AbortController()
    const timeout = delay(withinMs, 'late' as const, { signal: late.signal })
    timeout.catch(() => {}) // aborted below
    const first = await Promise.race([this.#exited, timeout])
    late.abort()
    if (first === 'late') throw this.#failure(`to end within ${withinMs / 1_000} s`, 'it still runs')
  }

  /** Resolves when the program has ended with status 0. */
  async succeeded(withinMs: number): Promise<void> {
    await this.ended(withinMs)
    if (this.status !== 0) throw this.#failure('to end with status 0', `status ${this.status}`)
  }

  /** Waits until the program accepts connections on a port, or ends. */
  async listensOrEnds(port: number, withinMs: number): Promise<'listens' | 'ended'> {
    for (
      const begin = performance.now();
      performance.now() - begin < withinMs;
      await delay(CONNECT_EVERY_MS)
    ) {
      if (this.hasEnded) return 'ended'
      if (await accepts(port)) return 'listens'
    }
    throw this.#failure(`to listen on port ${port} or to end within ${withinMs / 1_000} s`, 'neither')
  }

  /** SIGTERM, and SIGKILL if the program has not ended after 10 s. */
  async stop(): Promise<void> {
    this.kill('SIGTERM')
    try {
      await this.ended(GRACE_MS)
    } finally {
      this.kill('SIGKILL') // whatever of the group is left
    }
  }

  kill(signal: NodeJS.Signals): void {
    if (this.#child.pid === undefined) return
    try {
      process.kill(-this.#child.pid, signal)
    } catch {
      // no process of the group is left
    }
  }

  #failure(expected: string, got: string): Error {
    return new Error(
      `Expected \`${this.#command}\` ${expected}, got: ${got}. Its output ends with:\n${this.output}`,
    )
  }
}

async function accepts(port: number): Promise<boolean> {
  const socket = connect({ port, host: 'localhost' }) // 127.0.0.1 or ::1, as the framework likes
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}
