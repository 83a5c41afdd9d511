import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

export interface WorkerCommand {
  /** The file that Node.js runs. */
  readonly script: string
  readonly args?: readonly string[]
  readonly environment: Readonly<Record<string, string>>
  /** Arguments of Node.js itself. */
  readonly nodeArgs?: readonly string[]
}

/** A peer's worker or a relay in a separate process. It exits when the benchmark's process ends. */
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
    this.#failed.promise.catch(() => {}) // not every caller awaits `failed`
    child.stderr?.on('data', (chunk: Buffer) => {
      this.#errors = (this.#errors + chunk.toString()).slice(-4_000)
    })
    child.once('exit', (code, signal) => {
      if (!this.#asked)
        this.#failed.reject(new Error(`the worker exited with ${signal ?? code}: ${this.#errors.trim()}`))
    })
  }

  /** Resolves when the worker has started: it sends the message `started`, or a relay logs it. */
  static async start({ script, args = [], environment, nodeArgs = [] }: WorkerCommand) {
    const child = spawn(process.execPath, [...nodeArgs, script, ...args], {
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    })
    const worker = new WorkerProcess(child)
    await Promise.race([started(child), worker.failed])
    return worker
  }

  /** Rejects if the worker exits before `stop()`. */
  get failed(): Promise<never> {
    return this.#failed.promise
  }

  /** The last 4,000 characters of its stderr. */
  get errors(): string {
    return this.#errors
  }

  /** Sends SIGTERM, and SIGKILL after 20 s. */
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
