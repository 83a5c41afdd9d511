import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

export interface WorkerCommand {
  /** File that Node runs, and its arguments. */
  readonly script: string
  readonly args?: readonly string[]
  readonly environment: Readonly<Record<string, string>>
  /** For Node itself. */
  readonly nodeArgs?: readonly string[]
}

/** A peer's worker, or a relay, in a process of its own. It ends when the benchmark's process is gone. */
export class WorkerProcess implements AsyncDisposable {
  readonly pid: number
  readonly #child: ChildProcess
  readonly #exited: Promise<unknown>
  readonly #failed = Promise.withResolvers<never>()
  #asked = false
  #errors = ''

  private constructor(child: ChildProcess) {
    this.#child = child
    this.pid = child.pid ?? 0
    this.#exited = once(child, 'exit')
    this.#failed.promise.catch(() => {}) // whoever waits for it hears of it
    child.stderr?.on('data', (chunk: Buffer) => {
      this.#errors = (this.#errors + chunk.toString()).slice(-4_000)
    })
    child.once('exit', (code, signal) => {
      if (!this.#asked)
        this.#failed.reject(new Error(`worker ended with ${signal ?? code}: ${this.#errors.trim()}`))
    })
  }

  /** Resolves when the worker says that it has started: its message `started`, or a log line of that name. */
  static async start({ script, args = [], environment, nodeArgs = [] }: WorkerCommand) {
    const child = spawn(process.execPath, [...nodeArgs, script, ...args], {
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    })
    const worker = new WorkerProcess(child)
    await Promise.race([started(child), worker.failed])
    return worker
  }

  /** Rejects if the worker ends before it was asked to. */
  get failed(): Promise<never> {
    return this.#failed.promise
  }

  /** What it wrote on stderr last. */
  get errors(): string {
    return this.#errors
  }

  /** SIGTERM, and after 20 s SIGKILL. */
  async stop(): Promise<void> {
    this.#asked = true
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    this.#child.kill('SIGTERM')
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 20_000)
    await this.#exited
    clearTimeout(timer)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }
}

function started(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    child.on('message', (message) => message === 'started' && resolve())
    if (child.stdout) {
      createInterface(child.stdout).on('line', (line) => line.includes('"message":"started"') && resolve())
    }
  })
}
